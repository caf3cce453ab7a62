"Memory and disk of features on disk: tokens of random images, computed, and read by a head in training"
import argparse, resource, sys, tempfile, time
import numpy as np, pandas as pd, torch
from pathlib import Path
from PIL import Image
from torch import nn
from multilabel_fastai import *

def options():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--n', type=int, default=1121, help='images; 112,120 in NIH ChestX-ray14')
    p.add_argument('--tokens', type=int, default=16, help='in a row, and rows of them')
    p.add_argument('--width', type=int, default=768, help='numbers in a token')
    p.add_argument('--epochs', type=int, default=2)
    p.add_argument('--folder', help='of the features, which are kept; a temporary one without it')
    return p.parse_args()

class Patches(nn.Module):
    "Patches of 4 x 4 pixels and a frozen linear layer: tokens (N,T,F) as a transformer gives them, at little cost"
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 4, 4)
    def forward(self, x): return self.conv(x).flatten(2).transpose(1, 2)

def random_images(folder, n, size):
    "Files of random pixels, and a table of them with two random labels"
    rng = np.random.default_rng(42)
    names = [f'{i:06}.png' for i in range(n)]
    for o in names: Image.fromarray(rng.integers(0, 256, (size,size,3), dtype=np.uint8)).save(folder/o)
    return LabelTable(names, rng.integers(0, 2, (n,2)), ['a','b'], root=folder).split(valid=0.2)

def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/2**(20 if sys.platform=='darwin' else 10)

def main():
    a,rows = options(),[]
    def step(name, f):
        start = time.perf_counter()
        res = f()
        rows.append((name, time.perf_counter()-start, peak()))
        return res
    step('imports', lambda: None)
    with tempfile.TemporaryDirectory() as tmp:
        labels = step('random images', lambda: random_images(Path(tmp), a.n, 4*a.tokens))
        dls = multilabel_dls(labels, size=4*a.tokens, bs=32, num_workers=0, check=False, device='cpu')
        torch.manual_seed(42)
        new = lambda: multilabel_learner(dls, Patches(a.width), head=dict(name='query', width=64), metrics=[])
        learn = step('a learner', new)
        folder = Path(a.folder or f'{tmp}/features')
        with learn.no_bar(), learn.no_logging():
            feats = step('features to disk', lambda: backbone_features(learn, folder=folder))
            head = frozen_learner(learn, feats)
            with head.no_bar(), head.no_logging():
                step(f'{a.epochs} epochs of a query head', lambda: head.fit(a.epochs, 1e-3))
            step('found again', lambda: backbone_features(learn, folder=folder))
        disk = sum(o.stat().st_size for o in folder.iterdir())
        print(f'{feats}\n')
        df = pd.DataFrame(rows, columns=['','seconds','peak of resident memory, MB'])
        df['above a learner'] = df.iloc[:,2]-df.iloc[2,2]
        print(df.to_string(index=False, float_format='{:,.1f}'.format))
        print(f'\n{disk/1e6:,.0f} MB on disk; 112,120 images of these tokens: {112_120/a.n*disk/1e9:,.1f} GB')

if __name__=='__main__': main()
