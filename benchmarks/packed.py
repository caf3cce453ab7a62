"Images per second of a loader with a pack, beside fastai's own loader, and what that does to an epoch of training"
import os, platform, sys, tempfile, time
import numpy as np, pandas as pd, torch
from importlib.metadata import version
from fastai.vision.all import *
from pydicom import dcmread, uid
from pydicom.pixels import get_decoder
from multilabel_fastai import *
from multilabel_fastai.images.dicom import modality_values
from multilabel_fastai.datasets.spine import _write_dicom
from dicom import NOT_THEIRS, check_plugins, header, without

BS,ROUNDS,EPOCHS = 64,5,3 # Epochs of ours in each round, for there are few seconds in one
WIDTH,LEVEL = 1800,400

def device(): return 'cuda' if torch.cuda.is_available() else 'cpu'
def sync():
    if torch.cuda.is_available(): torch.cuda.synchronize()

def seconds(f):
    "Result of `f` and the seconds that it took"
    start = time.perf_counter()
    res = f()
    sync()
    return res, time.perf_counter()-start

def epoch(dl):
    "Images in an epoch of `dl`; all batches are on the device, as normalised floats"
    return sum(len(x) for x,_ in dl)

def rate(dl, n=1):
    count,s = seconds(lambda: sum(epoch(dl) for _ in range(n)))
    return count/s

# Scenes: JPG

def scenes(n=1000):
    "Table of the first scenes; exits where they are not there"
    folder = data_folder('miml_scenes')
    if folder is None: sys.exit('Set the environment variable MULTILABEL_FASTAI_DATA to the folder that holds miml_scenes/miml data.mat and miml_scenes/original')
    return LabelTable.from_mat(folder/'miml data.mat', path_fmt='original/{}.jpg', root=folder)[:n].split(valid=0.2)

# CT slices: JPEG Lossless, 12 of 16 bits

def slices(folder, studies=16):
    "Table of 1024 files of 512 x 512 pixels: 256 drawn slices, each in four mirrored versions, with the labels of their study"
    labels = sample_spine(folder/'drawn', studies=studies, slices=(16,16), matrix=(512,512)).expand_slices()
    (folder/'files').mkdir()
    df,rows = labels.df,[]
    for i,f in enumerate(labels.files):
        a = np.rint(modality_values(f)+1024).clip(0, 4095).astype(np.uint16)
        for k,b in enumerate((a, a[::-1], a[:,::-1], a[::-1,::-1])):
            ds,n = header(),4*i+k
            ds.file_meta.TransferSyntaxUID,ds.SOPInstanceUID,ds.file_meta.MediaStorageSOPInstanceUID = uid.JPEGLosslessSV1,f'1.2.826.0.1.1.{n+1}',f'1.2.826.0.1.1.{n+1}'
            _write_dicom(folder/f'files/{n}.dcm', ds, np.ascontiguousarray(b))
            rows.append(df.iloc[i].to_dict()|dict(path=f'{n}.dcm'))
    return LabelTable.from_onehot(pd.DataFrame(rows), 'path', list(labels.vocab), group_col='group', root=folder/'files').split(valid=0.2)

class PILSlice(PILImageBW):
    "A CT slice as one reads it without this library: `pixel_array` in Hounsfield units, windowed to 8 bits"
    @classmethod
    def create(cls, fn):
        ds = dcmread(fn)
        x = ds.pixel_array.astype(np.float32)*float(ds.RescaleSlope)+float(ds.RescaleIntercept)
        return cls(Image.fromarray((((x-LEVEL)/WIDTH+0.5).clip(0, 1)*255).astype(np.uint8)))

# The two sides

class Targets:
    "Names of the positive classes of a file"
    def __init__(self, labels): self.y = {f:[o for o,v in zip(labels.vocab, y) if v==1] for f,y in zip(labels.files, labels.targets)}
    def __call__(self, f): return self.y[f]

def fastai_dls(labels, size, stats, cls=PILImage, num_workers=0):
    "fastai's own DataLoaders"
    valid = set(labels['valid'].files)
    block = DataBlock((ImageBlock(cls), MultiCategoryBlock(vocab=list(labels.vocab))), get_y=Targets(labels), splitter=FuncSplitter(valid.__contains__),
                      item_tfms=Resize(size), batch_tfms=Normalize.from_stats(*stats))
    return block.dataloaders(labels.files, bs=BS, device=device(), num_workers=num_workers)

def packed_dls(labels, pack, stats): return multilabel_dls(labels, bs=BS, device=device(), pack=pack, stats=stats)

def bench_loaders(labels, pack, size, stats, cls=PILImage):
    "Images per second of training loaders timed in turn, and the median of each round's ratios"
    others = {f'fastai, num_workers={n}':fastai_dls(labels, size, stats, cls, n).train for n in (0,2)}
    own = packed_dls(labels, pack, stats).train
    rounds = np.array([[rate(own, EPOCHS), *map(rate, others.values())] for _ in range(ROUNDS+1)][1:]) # the first one warms up
    ratio = rounds[:,:1]/rounds
    return pd.DataFrame({'images a second':np.median(rounds, 0), 'ratio':np.median(ratio, 0), 'lowest':ratio.min(0), 'highest':ratio.max(0)}, index=['with the pack', *others])

def bench_steps(labels, pack, stats):
    "Milliseconds of a batch in each step of the loader with a pack"
    dl = packed_dls(labels, pack, stats).train
    fs,rows,times = dl.after_batch.fs,dl.packed[1],[]
    for _ in range(20):
        x,gather = seconds(lambda: torch.from_numpy(pack.gather(np.random.permutation(rows)[:BS])).as_subclass(dl.packed[3]))
        x,move = seconds(lambda: x.to(dl.device))
        steps = []
        for f in fs: x,s = seconds(lambda: f(x, split_idx=0)); steps.append(s)
        times.append([gather, move, *steps])
    return pd.Series(np.median(times, 0)*1e3, index=['gather', 'to the device', *(type(o).__name__ for o in fs)])

# Training

class Waiting(Callback):
    "Seconds that training steps waited for their batch, and seconds of the training epochs"
    order = 1000
    def before_fit(self): self.epochs,self.waits = [],[]
    def before_train(self): self.start = self.last = time.perf_counter(); self.waited = 0.
    def before_batch(self):
        if self.training: sync(); self.waited += time.perf_counter()-self.last
    def after_batch(self):
        if self.training: sync(); self.last = time.perf_counter()
    def after_train(self): self.epochs.append(time.perf_counter()-self.start); self.waits.append(self.waited)

def bench_training(labels, pack, size, rounds=2):
    "Seconds of a training epoch with and without the pack, in turn, and the share in which the network waited for data"
    files = dict(size=size, color='gray', window=(WIDTH,LEVEL), check=False)
    kinds = {'with the pack':dict(pack=pack), **{f'without, num_workers={n}':files|dict(num_workers=n) for n in (0,2)}}
    learns = {k:multilabel_learner(multilabel_dls(labels, bs=BS, device=device(), **v), small_cnn, pretrained=False, metrics=[], cbs=Waiting()) for k,v in kinds.items()}
    res = {k:[] for k in learns}
    for i in range(rounds+1):
        for k,o in learns.items():
            with o.no_bar(), o.no_logging(): o.fit(1)
            if i: res[k].append((o.waiting.epochs[0], o.waiting.waits[0]))
    t = {k:np.array(v) for k,v in res.items()}
    first = t['with the pack'][:,0]
    return pd.DataFrame({'seconds an epoch':{k:np.median(v[:,0]) for k,v in t.items()}, 'ratio':{k:np.median(v[:,0]/first) for k,v in t.items()},
                         'waiting, %':{k:np.median(v[:,1]/v[:,0])*100 for k,v in t.items()}})

def show(title, df):
    fmt = {o:'{:,.0f}'.format if 'images' in o or '%' in o else '{:.1f}'.format for o in df.columns}
    print(f'{title}\n{df.to_string(formatters=fmt)}\n', flush=True)

def timed_pack(name, labels, folder, **kwargs):
    pack,s = seconds(lambda: labels.pack(folder, **kwargs))
    print(f'{name}: {pack!r}, made in {s:.1f} seconds\n', flush=True)
    return pack

def bench_both(name, labels, pack, size, stats, cls=PILImage):
    n = len(labels['train'])
    show(f'{name}, {n:,} images for training, batches of {BS}, median of {ROUNDS}', bench_loaders(labels, pack, size, stats, cls))
    print('With the pack, milliseconds a batch: ' + ', '.join(f'{k} {v:.1f}' for k,v in bench_steps(labels, pack, stats).items()) + '\n', flush=True)

def main():
    check_plugins()
    gray = ([0.5],[0.25])
    with tempfile.TemporaryDirectory() as tmp:
        tmp,jpg = Path(tmp),scenes()
        ct = slices(tmp)
        packs = [timed_pack('Scenes', jpg, tmp/'scenes', size=224), *(timed_pack('CT slices', ct, tmp/f'ct{o}', size=o, color='gray', window=(WIDTH,LEVEL)) for o in (256,128))]
        bench_both('JPG scenes to 224 x 224 RGB', jpg, packs[0], 224, imagenet_stats)
        show('Training small_cnn on CT slices to 128 x 128 gray', bench_training(ct, packs[2], 128))
        without(*NOT_THEIRS) # from here on pydicom has the plug-ins of the other side alone; the pack is read without any
        bench_both('CT slices, JPEG Lossless 512 x 512, to 256 x 256 gray', ct, packs[1], 256, gray, PILSlice)
    libs = ('numpy','torch','fastai','pillow','pydicom','imagecodecs','pylibjpeg-libjpeg','python-gdcm')
    print(f'{os.cpu_count()} cores, {device()}, {torch.get_num_threads()} threads of torch, Python {platform.python_version()}, ' + ', '.join(f'{o} {version(o)}' for o in libs))

if __name__=='__main__': main()
