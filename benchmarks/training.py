"Images per second of training on a GPU: this library beside fastai's own `vision_learner().to_fp16()`, and how long the GPU waits for data"
import argparse, json, os, platform, subprocess, sys, tempfile, time
import numpy as np, pandas as pd, torch
from importlib.metadata import version
from pathlib import Path
from PIL import Image
import fastai.data.load
from fastai.vision.all import *

CLASSES = ['disc','square','stripes','bright']
SIDES = ('ours, packed','ours','ours, compiled','ours, fp32','fastai fp16')

def options():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--device', default='cuda')
    p.add_argument('--arch', default='resnet50', help='name of a torchvision network')
    p.add_argument('--size', type=int, default=224, help='pixels of the side of a picture')
    p.add_argument('--n', type=int, default=4096, help='pictures')
    p.add_argument('--bs', type=int, default=64)
    p.add_argument('--epochs', type=int, default=2, help='counted ones, after one to warm up')
    p.add_argument('--rounds', type=int, default=3, help='times that each side runs, in turn')
    p.add_argument('--workers', type=int, default=None, help='processes that read pictures; as many as there are processors, 16 at most')
    p.add_argument('--augment', default='natural', help="'natural' (the same as fastai's aug_transforms) or none")
    p.add_argument('--sides', nargs='+', default=[o for o in SIDES if o!='ours, fp32'], choices=SIDES)
    p.add_argument('--side', help=argparse.SUPPRESS); p.add_argument('--folder', type=Path, help=argparse.SUPPRESS)
    return p.parse_args()

def draw(folder, n, size):
    "`n` JPEG files a third larger than they are used, with their labels in the names"
    rng,side = np.random.default_rng(42),size*4//3
    i,j = np.mgrid[:side,:side]/side
    for k in range(n):
        y,im = rng.random(4)<0.4,rng.normal(110, 25, (side,side,1))+rng.normal(0, 20, 3)
        a,b,r = *rng.uniform(0.2, 0.8, 2),rng.uniform(0.05, 0.15)
        if y[0]: im[(i-a)**2+(j-b)**2<r**2] += 60
        if y[1]: im[(abs(i-b)<r)&(abs(j-a)<r)] -= 60
        if y[2]: im += 25*np.sin(60*i)[...,None]
        if y[3]: im += 40
        Image.fromarray(im.clip(0, 255).astype(np.uint8)).save(folder/f'{k:05}-{"".join(str(int(o)) for o in y)}.jpg', quality=90)

def names(f): return [c for c,o in zip(CLASSES, Path(f).stem.split('-')[1]) if o=='1']

class Waiting(Callback):
    """Time of the training part of each epoch, and how much of it the device waits for the loader.

    The end of a batch is marked in the GPU's queue (a CUDA event), and so is the moment at which the loader hands over the next one, before it is sent. A GPU that
    is busy reaches both marks one after the other; a GPU that has nothing to do reaches the second only when the loader is done. The time between the marks is the wait. On a CPU the clock tells it."""
    order = 10**4
    def __init__(self, device): self.cuda,self.rows,self.marks = device.startswith('cuda'),[],[]
    def _mark(self):
        if not self.cuda: return time.perf_counter()
        e = torch.cuda.Event(enable_timing=True); e.record(); return e
    def _sync(self): self.cuda and torch.cuda.synchronize()
    def _between(self, a, b): return a.elapsed_time(b)/1e3 if self.cuda else b-a
    def before_train(self): self._sync(); self.marks,self.start = [self._mark()],time.perf_counter()
    def handed(self):
        if self.marks is not None and len(self.marks)%2: self.marks.append(self._mark())
    def after_batch(self):
        if self.training: self.marks.append(self._mark())
    def after_train(self):
        self._sync()
        took,m = time.perf_counter()-self.start,self.marks
        self.rows.append(dict(seconds=took, waited=sum(self._between(m[i], m[i+1]) for i in range(0, len(m)-1, 2)), images=(len(m)//2)*self.dl.bs))
        self.marks = None

def stock(a, files, workers):
    "fastai alone"
    valid = {o for i,o in enumerate(files) if i%8==0}
    tfms = aug_transforms() if a.augment=='natural' else []
    block = DataBlock((ImageBlock, MultiCategoryBlock(vocab=CLASSES)), get_y=names, splitter=FuncSplitter(valid.__contains__), item_tfms=Resize(a.size, method='squish'), batch_tfms=[*tfms, Normalize.from_stats(*imagenet_stats, cuda=a.device!='cpu')])
    dls = block.dataloaders(files, bs=a.bs, num_workers=workers, device=torch.device(a.device))
    learn = vision_learner(dls, globals()[a.arch], pretrained=False)
    learn.unfreeze()
    return learn.to_fp16() if a.device!='cpu' else learn # which has no fp16 of fastai's

def ours(a, files, workers):
    "This library"
    import multilabel_fastai as ml
    y = np.array([[c in names(f) for c in CLASSES] for f in files], dtype=float)
    labels = ml.LabelTable([o.name for o in files], y, CLASSES, split=['valid' if i%8==0 else 'train' for i in range(len(files))], root=a.folder)
    augment = None if a.augment=='none' else a.augment
    pack = dict(pack=labels.pack(a.folder.parent/'pack', size=a.size)) if 'packed' in a.side else dict(size=a.size, num_workers=workers, check=False)
    dls = ml.multilabel_dls(labels, bs=a.bs, device=torch.device(a.device), augment=augment, **pack)
    learn = ml.multilabel_learner(dls, globals()[a.arch], pretrained=False, metrics=[])
    return learn.accelerate('fp32' if 'fp32' in a.side else 'auto', compile='compiled' in a.side)

def one_side(a):
    "Train one of the sides in this process, and print what it took"
    files,workers = sorted(a.folder.glob('*.jpg')),ifnone(a.workers, min(16, os.cpu_count()))
    learn = (stock if a.side.startswith('fastai') else ours)(a, files, workers)
    waiting,send = Waiting(a.device),fastai.data.load.to_device
    def handed(*args, **kwargs): waiting.handed(); return send(*args, **kwargs)
    fastai.data.load.to_device = handed
    learn.add_cb(waiting)
    with learn.no_bar(), learn.no_logging(): learn.fit(1+a.epochs, 1e-3)
    made = {k:v for k,v in learn.acceleration.items() if k!='device'} if hasattr(learn, 'acceleration') else {}
    print(json.dumps(dict(rows=waiting.rows[1:], memory=torch.cuda.max_memory_allocated()/2**30 if waiting.cuda else None, made=made)))

def run(a, side):
    "A side in a process of its own: importing this library would take waits out of fastai's side too"
    kw = dict(device=a.device, arch=a.arch, size=a.size, bs=a.bs, epochs=a.epochs, augment=a.augment, folder=a.folder, side=side) | ({} if a.workers is None else dict(workers=a.workers))
    res = subprocess.run([sys.executable, '-W', 'ignore', __file__, *(f'--{k}={v}' for k,v in kw.items())], stdout=subprocess.PIPE, text=True)
    if res.returncode: sys.exit(f'{side} failed')
    return json.loads(res.stdout.strip().splitlines()[-1])

def table(res):
    "Medians over all epochs, and over the rounds' ratios"
    rate = {k:np.array([sum(o['images'] for o in r['rows'])/sum(o['seconds'] for o in r['rows']) for r in v]) for k,v in res.items()}
    wait = {k:100*np.median([o['waited']/o['seconds'] for r in v for o in r['rows']]) for k,v in res.items()}
    df = pd.DataFrame({'images a second':{k:np.median(v) for k,v in rate.items()}})
    if (base:='fastai fp16') in rate:
        ratio = {k:v/rate[base] for k,v in rate.items()}
        for name,f in (('ratio',np.median),('lowest',np.min),('highest',np.max)): df[name] = pd.Series({k:f(v) for k,v in ratio.items()})
    df['waits for data, %'] = pd.Series(wait)
    if all(v[0]['memory'] for v in res.values()): df['GB'] = pd.Series({k:v[0]['memory'] for k,v in res.items()})
    df['with'] = pd.Series({k:', '.join(f'{i}' if o is True else f'{o}' for i,o in v[0]['made'].items() if o) or '-' for k,v in res.items()})
    return df

def main():
    a = options()
    if a.device.startswith('cuda') and not torch.cuda.is_available(): sys.exit('This benchmark needs a GPU, and there is none. To see whether it runs: --device cpu --arch resnet18 --size 64 --n 64 --bs 16 --epochs 1 --rounds 1')
    if a.side: return one_side(a)
    with tempfile.TemporaryDirectory() as tmp:
        a.folder = Path(tmp)/'pictures'; a.folder.mkdir()
        draw(a.folder, a.n, a.size)
        res = {k:[] for k in a.sides}
        for _ in range(a.rounds):
            for k in a.sides: res[k].append(run(a, k))
    fmt = {'images a second':'{:,.0f}'.format, 'waits for data, %':'{:.0f}'.format, 'GB':'{:.1f}'.format}
    print(f'{a.arch} at {a.size} x {a.size}, {a.n:,} JPEG files, batches of {a.bs}, augmentation {a.augment}, median of {a.rounds} rounds\n')
    print(table(res).to_string(formatters={k:fmt.get(k, '{:.2f}'.format if k!='with' else str) for k in table(res)}))
    gpu = torch.cuda.get_device_name() if a.device.startswith('cuda') else a.device
    print(f'\n{gpu}, {os.cpu_count()} cores, Python {platform.python_version()}, ' + ', '.join(f'{o} {version(o)}' for o in ('torch','torchvision','fastai')))

if __name__=='__main__': main()
