"Import fastai without what torch says of its use of torch.jit.script"
import warnings
with warnings.catch_warnings():
    warnings.filterwarnings('ignore', '.*torch.jit.script', FutureWarning)
    import fastai.vision.all # noqa: F401
