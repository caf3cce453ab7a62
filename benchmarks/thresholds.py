"The best thresholds by F1 of 14 classes on 25,596 images, beside scikit-learn's f1_score at 99 thresholds"
import argparse, time, warnings
warnings.simplefilter('ignore')
import numpy as np, pandas as pd
from sklearn.metrics import f1_score
from multilabel_fastai.metrics.classwise import f1_multi
from multilabel_fastai.metrics.replicates import bootstrap_weights
from multilabel_fastai.decision.thresholds import best_thresholds, threshold_replicates

rates = np.array([0.104,0.025,0.042,0.021,0.119,0.022,0.015,0.002,0.177,0.052,0.056,0.030,0.013,0.047]) # prevalence in ChestX-ray14

def drawn(n, seed=42):
    "Probabilities and targets of `n` films, about as well told apart as published networks do"
    rng = np.random.default_rng(seed)
    y = (rng.random((n,14))<rates).astype(int)
    return 1/(1+np.exp(-(np.log(rates/(1-rates))+1.2*y+rng.normal(size=y.shape)))), y

def by_sklearn(p, y):
    "Best of 99 thresholds, class by class"
    grid,res = np.linspace(0.01, 0.99, 99),[]
    for c in range(p.shape[1]): res.append(grid[np.argmax([f1_score(y[:,c], p[:,c]>=t, zero_division=0) for t in grid])])
    return np.array(res)

def timed(f, repeats):
    res = []
    for _ in range(repeats): t = time.perf_counter(); out = f(); res.append(time.perf_counter()-t)
    return np.median(res), out

if __name__=='__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rows', type=int, default=25596)
    args = parser.parse_args()
    p,y = drawn(args.rows)
    slow,theirs = timed(lambda: by_sklearn(p, y), 1)
    rows = []
    for name,kw in (('f1',{}),('f1, one threshold',dict(one=True)),('f1, shrink=20',dict(shrink=20)),('micro-f1',dict(objective='micro-f1')),('samples-f1',dict(objective='samples-f1'))):
        s,t = timed(lambda: best_thresholds(p, y, **(dict(objective='f1')|kw)), 5)
        rows.append({'':name, 'ms':1000*s, 'scikit-learn, ratio':slow/s if name=='f1' else np.nan, **{f'{a} F1':f1_multi(p, y, t, a) for a in ('macro','micro','samples')}})
    rows.append({'':'scikit-learn, 99 thresholds', 'ms':1000*slow, **{f'{a} F1':f1_multi(p, y, theirs, a) for a in ('macro','micro','samples')}})
    print(f'{args.rows:,} x 14')
    print(pd.DataFrame(rows).set_index('').round(4).to_string(na_rep=''))
    gain = f1_multi(p, y, best_thresholds(p, y), None)-f1_multi(p, y, theirs, None)
    print(f'F1 of a class less that of scikit-learn\'s loop: from {gain.min():.4f} to {gain.max():.4f}')
    s,_ = timed(lambda: threshold_replicates(p, y, bootstrap_weights(len(p), 200)), 1)
    print(f'thresholds of 200 replicates: {s:.1f} s')
