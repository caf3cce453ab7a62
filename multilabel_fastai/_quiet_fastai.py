"Import fastai without what torch says of its use of torch.jit.script; refuse versions that cannot work together"
import warnings
from importlib.metadata import version


def check_versions(fastai, fastcore):
    "Raise `ImportError` for a fastai that passes images on wrongly with the fastcore that is there"
    numbers = [int(o) for o in fastai.split('.')[:3] if o.isdigit()]
    if numbers<[2,8,8] and int(fastcore.split('.')[0])>=2:
        raise ImportError(f"fastai {fastai} cannot train with fastcore {fastcore}: "
                          "pip install -U fastai, or pip install 'fastcore<2'")


check_versions(version('fastai'), version('fastcore'))
with warnings.catch_warnings():
    warnings.filterwarnings('ignore', '.*torch.jit.script', FutureWarning)
    import fastai.vision.all # noqa: F401
