"Seconds of 1,000 bootstrap replicates of AUROC and average precision, beside scikit-learn's loop over replicates and classes, and of DeLong's interval"
import os, platform, time, tracemalloc
for o in ('OMP_NUM_THREADS','OPENBLAS_NUM_THREADS','MKL_NUM_THREADS'): os.environ.setdefault(o, '1')
import numpy as np, pandas as pd
from sklearn import metrics as skm
from multilabel_fastai.metrics.replicates import *
from multilabel_fastai.metrics.intervals import *

REPLICATES,TIMED = 1000,5 # Ours; those that scikit-learn's time is extrapolated from
PREVALENCE = [0.108,0.042,0.18,0.24,0.068,0.063,0.022,0.104,0.071,0.036,0.043,0.017,0.045,0.0034] # About that of ChestX-ray14's test list

def drawn(n=25596, patients=2797, seed=42):
    "Probabilities and targets of `n` films and 14 classes, and their patients"
    rng = np.random.default_rng(seed)
    y = (rng.random((n,14))<PREVALENCE).astype(float)
    return (1/(1+np.exp(2-1.2*y-rng.normal(size=y.shape)))).astype(np.float32),y,rng.integers(0, patients, n)

def seconds(f, rounds=3):
    "Result of `f` and the least of the seconds that it took"
    best = np.inf
    for _ in range(rounds):
        start = time.perf_counter(); res = f(); best = min(best, time.perf_counter()-start)
    return res,best

def main():
    probs,targs,patients = drawn()
    w,s = seconds(lambda: bootstrap_weights(patients, REPLICATES))
    print(f'{platform.machine()}, one thread; {probs.shape[0]:,} x {probs.shape[1]}, {REPLICATES:,} replicates; drawing them {s:.2f} s, {w.nbytes/2**20:.0f} MiB')
    rows = []
    for name,ours,theirs in (('AUROC',auroc_replicates,skm.roc_auc_score),('average precision',average_precision_replicates,skm.average_precision_score)):
        r,a = seconds(lambda: ours(probs, targs, w))
        loop = lambda: np.array([[theirs(t, p, sample_weight=o) for t,p in zip(targs.T, probs.T)] for o in w[:TIMED]])
        e,b = seconds(loop, 2)
        tracemalloc.start(); ours(probs, targs, w); peak = tracemalloc.get_traced_memory()[1]/2**20; tracemalloc.stop()
        rows.append([name, a, b/TIMED*REPLICATES, b/TIMED*REPLICATES/a, np.abs(r[:TIMED]-e).max(), peak])
    d = pd.DataFrame(rows, columns=['measure','seconds','scikit-learn','ratio','largest difference','peak MiB']).set_index('measure')
    print(d.to_string(float_format='{:.3g}'.format))
    print(f'both: {d["scikit-learn"].sum()/d.seconds.sum():.0f} times as fast')
    boot = auroc_replicates(probs, targs, w).std(0)
    d,s = seconds(lambda: delong_interval(probs, targs, patients))
    print(f'DeLong over the same patients: {s:.3f} s for {len(d)} classes; its standard errors are {(d.SE/boot).min():.3f} to {(d.SE/boot).max():.3f} times the bootstrap\'s')


if __name__=='__main__': main()
