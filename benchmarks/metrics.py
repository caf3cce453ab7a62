"Milliseconds of AUROC, average precision and F1 in every average, beside scikit-learn and torchmetrics"
import os, platform, time, warnings
for o in ('OMP_NUM_THREADS','OPENBLAS_NUM_THREADS','MKL_NUM_THREADS'): os.environ.setdefault(o, '1')
import numpy as np, pandas as pd, torch
from sklearn import metrics as skm
from torchmetrics.functional import classification as tmc
from multilabel_fastai.metrics.classwise import *
from multilabel_fastai.metrics.predictions import AVERAGES

PREVALENCE = [0.108,0.042,0.18,0.24,0.068,0.063,0.022,0.104,0.071,0.036,0.043,0.017,0.045,0.0034] # About that of ChestX-ray14's test list
METRICS = { # Ours, scikit-learn's, torchmetrics', and whether the two take decisions
    'AUROC': (auroc_multi,skm.roc_auc_score,tmc.multilabel_auroc,False),
    'average precision': (average_precision_multi,skm.average_precision_score,tmc.multilabel_average_precision,False),
    'F1': (f1_multi,skm.f1_score,tmc.multilabel_f1_score,True)}

def drawn(n=25596, seed=42):
    "Probabilities and targets of `n` films and 14 classes"
    rng = np.random.default_rng(seed)
    y = (rng.random((n,14))<PREVALENCE).astype(float)
    return (1/(1+np.exp(2-1.2*y-rng.normal(size=y.shape)))).astype(np.float32),y

def seconds(fs, rounds=7):
    "Results of the functions `fs`, and the median of the seconds that each took, in turn; None stays None"
    res,times = [o and o() for o in fs],[]
    for _ in range(rounds):
        times.append([])
        for f in fs: start = time.perf_counter(); f and f(); times[-1].append(time.perf_counter()-start if f else np.nan)
    return res,np.median(times, 0)

def main():
    warnings.simplefilter('ignore')
    torch.set_num_threads(1)
    drawn_p,drawn_y = drawn()
    found = drawn_y.any(1) # what images without a positive count for in a mean over images is another question
    print(f'{platform.machine()}, one thread; {drawn_p.shape[0]:,} x {drawn_p.shape[1]}, samples {found.sum():,} x {drawn_p.shape[1]}')
    rows = []
    for name,(ours,sk,tm,decides) in METRICS.items():
        for a in AVERAGES:
            p,y = [o[found] if a=='samples' else o for o in (drawn_p,drawn_y)]
            d,tp,ty = p>=0.5 if decides else p,torch.tensor(p),torch.tensor(y).long()
            theirs = None if a=='samples' else lambda: tm(tp, ty, num_labels=y.shape[1], average=a or 'none')
            (v,*others),s = seconds([lambda: ours(p, y, average=a), lambda: sk(y, d, average=a), theirs], 2 if a=='samples' else 7)
            gap = [np.nan if o is None else np.abs(np.asarray(o)-v).max() for o in others]
            rows.append([name, str(a), 1e3*s[0], s[1]/s[0], s[2]/s[0], *gap])
    d = pd.DataFrame(rows, columns=['metric','average','ms','scikit-learn, ratio','torchmetrics, ratio','difference to scikit-learn','to torchmetrics']).set_index(['metric','average'])
    print(d.to_string(float_format=lambda v: f'{v:,.0f}' if v>=100 else f'{v:.3g}', na_rep=''))


if __name__=='__main__': main()
