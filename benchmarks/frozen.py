"Ten epochs of the head of a frozen network: on pictures, and on features that the body made of them once"
import argparse, os, platform, sys, tempfile, time
import numpy as np, pandas as pd, torch
from importlib.metadata import version
from pathlib import Path
from fastai.vision.all import set_seed
from multilabel_fastai import *

def options():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--weights', help='file of the weights; from the hub without it')
    p.add_argument('--arch', default='tf_efficientnet_lite0')
    p.add_argument('--n', type=int, default=2000, help='scenes, of 2000')
    p.add_argument('--size', type=int, default=224)
    p.add_argument('--bs', type=int, default=32)
    p.add_argument('--epochs', type=int, default=10)
    p.add_argument('--views', type=int, default=0, help='augmented passes over the training pictures; the slow way then augments too')
    p.add_argument('--workers', type=int, help='processes that read pictures')
    p.add_argument('--pack', action='store_true', help='pictures from a pack, in both ways')
    p.add_argument('--rounds', type=int, default=1, help='times that both ways run, in turn')
    p.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return p.parse_args()

def scenes(n):
    folder = data_folder('miml_scenes')
    if folder is None: sys.exit('Set the environment variable MULTILABEL_FASTAI_DATA to the folder that holds miml_scenes/miml data.mat and miml_scenes/original')
    labels = LabelTable.from_mat(folder/'miml data.mat', path_fmt='original/{}.jpg', root=folder)
    return labels[np.random.default_rng(42).permutation(len(labels))[:n]].split(valid=0.3)

def sync(): torch.cuda.is_available() and torch.cuda.synchronize()

def seconds(f):
    sync(); start = time.perf_counter()
    res = f()
    sync()
    return res,time.perf_counter()-start

def new_learner(a, labels, pack):
    "A learner with a frozen body; not in the time"
    set_seed(42)
    kw = dict(pack=pack) if pack is not None else dict(size=a.size, num_workers=a.workers, check=False)
    dls = multilabel_dls(labels, bs=a.bs, device=torch.device(a.device), augment='natural' if a.views else None, **kw)
    return multilabel_learner(dls, a.arch, weights=a.weights)

def train(learn, epochs):
    with learn.no_bar(), learn.no_logging(): learn.fit_one_cycle(epochs, 1e-2)

def on_features(a, learn):
    with learn.no_bar(): feats,t_body = seconds(lambda: backbone_features(learn, views=a.views))
    _,t_head = seconds(lambda: train(frozen_learner(learn, feats), a.epochs))
    return t_body,t_head

def both_ways(a, labels, pack, pictures_first):
    "Seconds of each part, and the mAP on the validation pictures at the end"
    slow,quick = new_learner(a, labels, pack),new_learner(a, labels, pack)
    if pictures_first: _,t_slow = seconds(lambda: train(slow, a.epochs))
    t_body,t_head = on_features(a, quick)
    if not pictures_first: _,t_slow = seconds(lambda: train(slow, a.epochs))
    return dict(slow=t_slow, body=t_body, head=t_head, mAP_slow=slow.history.mAP.iloc[-1], mAP=quick.history.mAP.iloc[-1])

def main():
    a = options()
    labels = scenes(a.n)
    with tempfile.TemporaryDirectory() as tmp:
        pack = labels.pack(Path(tmp)/'pack', size=a.size) if a.pack else None
        r = pd.DataFrame([both_ways(a, labels, pack, i%2==0) for i in range(a.rounds)])
    total,n = r.body+r['head'],{o:len(labels[o]) for o in ('train','valid')}
    print(f'{n["train"]:,} pictures for training and {n["valid"]:,} for validation at {a.size} x {a.size}, {a.arch}, batches of {a.bs}, {a.epochs} epochs, median of {a.rounds}\n')
    print(pd.DataFrame({'seconds':[r.slow.median(), total.median(), r.body.median(), r['head'].median()], 'ratio':[(r.slow/total).median(), 1., np.nan, np.nan], 'lowest':[(r.slow/total).min(), *[np.nan]*3], 'highest':[(r.slow/total).max(), *[np.nan]*3], 'mAP':[r.mAP_slow.median(), r.mAP.median(), np.nan, np.nan]},
        index=['on pictures','on features, all of it','  features, once','  the head on them']).to_string(float_format='{:.3g}'.format, na_rep=''))
    one = r.slow.median()/a.epochs
    print(f'\nAn epoch on pictures: {one:.2f} s, on features {r["head"].median()/a.epochs:.3f} s; the pass of the body takes {r.body.median()/one:.2f} epochs')
    print(f'{os.cpu_count()} cores, {a.device}, {torch.get_num_threads()} threads of torch, Python {platform.python_version()}, ' + ', '.join(f'{o} {version(o)}' for o in ('torch','fastai','timm')))

if __name__=='__main__': main()
