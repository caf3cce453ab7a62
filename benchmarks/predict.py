"Images per second of predict_table by each engine, beside a loop of learn.predict over the same files"
import argparse, os, platform, sys, tempfile, time
import numpy as np, pandas as pd, torch
from importlib.metadata import version
from pathlib import Path
from fastai.vision.all import set_seed
from multilabel_fastai import *

def options():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('kinds', nargs='*', default=['digits','scenes','slices'],
                   help='digits (PNG), scenes (JPG), slices (DICOM)')
    p.add_argument('--engines', nargs='+', default=['torch','auto'],
                   help='torch, onnx, auto or onnx-int8, which is calibrated and measured before, on the same files')
    p.add_argument('--weights', help='file of the weights of tf_efficientnet_lite0 for the scenes; random without it')
    p.add_argument('--size', type=int, default=128, help='of the scenes')
    p.add_argument('--n', type=int, default=2000, help='files of each kind, if there are so many')
    p.add_argument('--loop', type=int, default=100, help='files of each round of the loop; 0 for none')
    p.add_argument('--bs', type=int, default=64)
    p.add_argument('--workers', type=int, help='processes that read')
    p.add_argument('--pack', action='store_true', help='read the pixels from a pack, made before')
    p.add_argument('--rounds', type=int, default=5, help='times that all run, in turn')
    p.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    return p.parse_args()

def digits(a, folder):
    return sample_digits(folder, n=a.n).split(valid=0.2),dict(size=64, color='gray'),small_cnn,{}

def scenes(a, folder):
    folder = data_folder('miml_scenes')
    if folder is None:
        sys.exit('Set the environment variable MULTILABEL_FASTAI_DATA to the folder that holds '
                 'miml_scenes/miml data.mat and miml_scenes/original')
    labels = LabelTable.from_mat(folder/'miml data.mat', path_fmt='original/{}.jpg', root=folder)[:a.n]
    weights = dict(weights=a.weights) if a.weights else {}
    return labels.split(valid=0.2),dict(size=a.size),'tf_efficientnet_lite0',weights

def slices(a, folder):
    labels = sample_spine(folder, studies=max(5, a.n//18)).split(valid=0.2).expand_slices()[:a.n]
    return labels,dict(size=64, color='gray', window='bone'),small_cnn,{}

KINDS = dict(digits=digits, scenes=scenes, slices=slices)

def seconds(f):
    if torch.cuda.is_available(): torch.cuda.synchronize()
    start = time.perf_counter()
    res = f()
    if torch.cuda.is_available(): torch.cuda.synchronize()
    return res,time.perf_counter()-start

def loop(learn, files):
    "What one writes without this library"
    with learn.no_bar(): return np.stack([learn.predict(f)[2].numpy() for f in files])

def make(kind, a, folder):
    "Labels, learner and bundle of a kind, and the pack if there is one"
    set_seed(42)
    labels,prep,arch,kw = KINDS[kind](a, folder)
    dls = multilabel_dls(labels, bs=a.bs, num_workers=0, device=torch.device(a.device), check=False, **prep)
    learn = multilabel_learner(dls, arch, pretrained=False, **kw)
    bundle = Bundle.from_learner(learn, metrics=False)
    if 'onnx-int8' in a.engines: reduce_precision(bundle, labels['train'], labels['valid'], max_changed=1, max_auroc=1)
    pack = labels.pack(folder/'pack', preprocess=bundle.preprocess) if a.pack else None
    return labels,learn,bundle,None if pack is None else folder/'pack'

def compare(kind, a, folder):
    "Images per second of all in each round, and the largest difference of their probabilities"
    labels,learn,bundle,pack = make(kind, a, folder)
    few,rows,far = labels.files[:a.loop],[],dict.fromkeys(a.engines, 0.)
    for i in range(a.rounds+1): # the first one warms up
        row,p = {},None
        if a.loop:
            p,t = seconds(lambda: loop(learn, few))
            row['learn.predict'] = len(few)/t
        for o in a.engines[::1 if i%2 else -1]:
            df,t = seconds(lambda: predict_table(bundle, labels, bs=a.bs, num_workers=a.workers, engine=o, pack=pack))
            row[o] = len(labels)/t
            if p is not None: far[o] = max(far[o], np.abs(df[bundle.vocab].to_numpy()[:len(few)]-p).max())
        if i: rows.append(row)
    return table(kind, len(labels), pd.DataFrame(rows), far, a.engines)

def table(kind, n, rows, far, engines):
    "A row for each engine, whose ratios are to the loop, or to the first engine without a loop"
    base = 'learn.predict' if 'learn.predict' in rows else engines[0]
    ratio = rows.div(rows[base], axis=0)
    shared = dict(kind=kind, files=n, base=base, base_per_second=rows[base].median())
    res = [shared|dict(engine=o, per_second=rows[o].median(), ratio=ratio[o].median(), lowest=ratio[o].min(),
                       highest=ratio[o].max(), difference=far[o]) for o in engines]
    return pd.DataFrame(res)

def main():
    a = options()
    if lost:=[o for o in a.kinds if o not in KINDS]: sys.exit(f'There is no {lost[0]}: choose from {", ".join(KINDS)}')
    with tempfile.TemporaryDirectory() as tmp: res = pd.concat([compare(o, a, Path(tmp)/o) for o in a.kinds])
    print(f'Images per second, batches of {a.bs}, median of {a.rounds} rounds; the loop takes {a.loop} files a round\n')
    one = '{:.1f}'.format
    formats = dict(difference='{:.0e}'.format, **dict.fromkeys(('ratio','lowest','highest'), one),
                   **dict.fromkeys(('per_second','base_per_second'), '{:,.0f}'.format))
    print(res.to_string(index=False, formatters=formats))
    versions = ', '.join(f'{o} {version(o)}' for o in ('torch','fastai','pillow','pydicom'))
    print(f'\n{os.cpu_count()} cores, {a.device}, {torch.get_num_threads()} threads of torch, '
          f'Python {platform.python_version()}, {versions}')

if __name__=='__main__': main()
