"Images per second of predict_table, beside a loop of learn.predict over the same files"
import argparse, os, platform, sys, tempfile, time
import numpy as np, pandas as pd, torch
from importlib.metadata import version
from pathlib import Path
from fastai.vision.all import set_seed
from multilabel_fastai import *

def options():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('kinds', nargs='*', default=['digits','scenes','slices'], help='digits (PNG), scenes (JPG), slices (DICOM)')
    p.add_argument('--weights', help='file of the weights of tf_efficientnet_lite0 for the scenes; random ones without it, which are as fast')
    p.add_argument('--n', type=int, default=2000, help='files of each kind, where there are so many')
    p.add_argument('--loop', type=int, default=100, help='files of each round of the loop')
    p.add_argument('--bs', type=int, default=64)
    p.add_argument('--workers', type=int, help='processes that read')
    p.add_argument('--channels-last', action='store_true', help='as the argument of predict_table')
    p.add_argument('--rounds', type=int, default=5, help='times that both run, in turn')
    p.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return p.parse_args()

def digits(a, folder): return sample_digits(folder, n=a.n).split(valid=0.2),dict(size=64, color='gray'),small_cnn,{}

def scenes(a, folder):
    folder = data_folder('miml_scenes')
    if folder is None: sys.exit('Set the environment variable MULTILABEL_FASTAI_DATA to the folder that holds miml_scenes/miml data.mat and miml_scenes/original')
    return LabelTable.from_mat(folder/'miml data.mat', path_fmt='original/{}.jpg', root=folder)[:a.n].split(valid=0.2),dict(size=128),'tf_efficientnet_lite0',dict(weights=a.weights) if a.weights else {}

def slices(a, folder): return sample_spine(folder, studies=max(5, a.n//18)).split(valid=0.2).expand_slices()[:a.n],dict(size=64, color='gray', window='bone'),small_cnn,{}

def seconds(f):
    if torch.cuda.is_available(): torch.cuda.synchronize()
    start = time.perf_counter()
    res = f()
    if torch.cuda.is_available(): torch.cuda.synchronize()
    return res,time.perf_counter()-start

def loop(learn, files):
    "What one writes without this library"
    with learn.no_bar(): return np.stack([learn.predict(f)[2].numpy() for f in files])

def compare(kind, a, folder):
    "Images per second of both in each round, and the largest difference of their probabilities"
    set_seed(42)
    labels,prep,arch,kw = kind(a, folder)
    learn = multilabel_learner(multilabel_dls(labels, bs=a.bs, num_workers=0, device=torch.device(a.device), check=False, **prep), arch, pretrained=False, **kw)
    bundle,few = Bundle.from_learner(learn, metrics=False),labels.files[:a.loop]
    rows,diff = [],0.
    for i in range(a.rounds+1): # the first one warms up
        if i%2: df,t = seconds(lambda: predict_table(bundle, labels, bs=a.bs, num_workers=a.workers, channels_last=a.channels_last))
        p,t_loop = seconds(lambda: loop(learn, few))
        if not i%2: df,t = seconds(lambda: predict_table(bundle, labels, bs=a.bs, num_workers=a.workers, channels_last=a.channels_last))
        diff = max(diff, np.abs(df[bundle.vocab].to_numpy()[:len(few)]-p).max())
        if i: rows.append((len(labels)/t, len(few)/t_loop))
    r = np.array(rows)
    ratio = r[:,0]/r[:,1]
    return {'files':len(labels), 'predict_table':np.median(r[:,0]), 'learn.predict':np.median(r[:,1]), 'ratio':np.median(ratio), 'lowest':ratio.min(), 'highest':ratio.max(), 'difference':diff}

def main():
    a = options()
    kinds = dict(digits=digits, scenes=scenes, slices=slices)
    if lost:=[o for o in a.kinds if o not in kinds]: sys.exit(f'There is no {lost[0]}: choose from {", ".join(kinds)}')
    with tempfile.TemporaryDirectory() as tmp: res = pd.DataFrame({o:compare(kinds[o], a, Path(tmp)/o) for o in a.kinds}).T
    print(f'Images per second, batches of {a.bs}, median of {a.rounds} rounds; the loop takes {a.loop} files a round\n')
    print(res.to_string(formatters={'files':'{:,.0f}'.format, 'difference':'{:.0e}'.format, **{o:'{:.1f}'.format for o in ('ratio','lowest','highest')}, **{o:'{:,.0f}'.format for o in ('predict_table','learn.predict')}}))
    print(f'\n{os.cpu_count()} cores, {a.device}, {torch.get_num_threads()} threads of torch, Python {platform.python_version()}, ' + ', '.join(f'{o} {version(o)}' for o in ('torch','fastai','pillow','pydicom')))

if __name__=='__main__': main()
