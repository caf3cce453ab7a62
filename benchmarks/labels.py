"Seconds, leaks and gaps of reading and splitting the table of NIH ChestX-ray14, beside pandas, scikit-learn and iterative-stratification"
import os, platform, sys, time, warnings
import numpy as np, pandas as pd
from importlib.metadata import version
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold, MultilabelStratifiedShuffleSplit
from sklearn.model_selection import GroupShuffleSplit, StratifiedGroupKFold
from sklearn.preprocessing import MultiLabelBinarizer
from multilabel_fastai.labels.table import *
from multilabel_fastai.labels.readers import *

SEEDS = range(3) # Of which the median is printed
TRAIN,VALID,TEST = range(3)

def table():
    "Path of the table with all 112,120 rows; exits where it is not there"
    folder = data_folder('nih_chest_xray')
    csv = folder/'Data_Entry_2017_v2020_full.csv.gz' if folder else None
    if csv is None or not csv.exists():
        sys.exit('Set the environment variable MULTILABEL_FASTAI_DATA to the folder that holds nih_chest_xray/Data_Entry_2017_v2020_full.csv.gz')
    return csv

def seconds(f):
    "Result of `f` and the seconds that it took"
    start = time.perf_counter()
    res = f()
    return res, time.perf_counter()-start

# Reading

def read(csv): return LabelTable.from_delimited(csv, 'Image Index', 'Finding Labels', none_label='No Finding', group_col='Patient ID')
def read_dummies(csv): return pd.read_csv(csv)['Finding Labels'].str.get_dummies('|')
def read_binarizer(csv): return MultiLabelBinarizer().fit_transform(pd.read_csv(csv)['Finding Labels'].str.split('|'))

def bench_read(csv, n=5):
    "Median seconds of each reader, and how they compare with ours"
    fs = {'LabelTable.from_delimited':read, 'read_csv + str.get_dummies':read_dummies, 'read_csv + MultiLabelBinarizer':read_binarizer}
    s = pd.Series({k:np.median([seconds(lambda: f(csv))[1] for _ in range(n)]) for k,f in fs.items()})
    return pd.DataFrame({'seconds':s, 'ratio to ours':s/s.iloc[0]})

# Splitting: each function gives the split or the fold of every row, (N,) int

def ours(t, seed): return t.split(valid=0.1, test=0.1, seed=seed)._df.split.map(dict(train=TRAIN, valid=VALID, test=TEST)).to_numpy()
def ours_kfold(t, seed): return np.stack([(o._df.split=='valid').to_numpy() for o in t.kfold(5, seed=seed)]).argmax(0)

def shuffle_twice(cls, y, seed, groups=None):
    "A splitter into two parts, applied to all for the test and to the rest for validation"
    part = np.full(len(y), TRAIN)
    rest,test = next(cls(1, test_size=0.1, random_state=seed).split(y, y, groups))
    part[test] = TEST
    _,valid = next(cls(1, test_size=1/9, random_state=seed).split(y[rest], y[rest], None if groups is None else groups[rest]))
    part[rest[valid]] = VALID
    return part

def folds(cls, y, seed, groups=None, n=5):
    "Fold of each row"
    fold = np.empty(len(y), dtype=int)
    for i,(_,v) in enumerate(cls(n, shuffle=True, random_state=seed).split(y, y, groups)): fold[v] = i
    return fold

def ten(cls, y, seed, groups=None):
    "One fold of ten for the test, one for validation"
    return np.array([TEST,VALID]+[TRAIN]*8)[folds(cls, y, seed, groups, n=10)]

# StratifiedGroupKFold wants one class a row. The rarest positive label is what loses most by chance, and gives 15 well filled classes;
# the label set says all, but most of its 801 classes are too rare for every fold to get one, which scikit-learn warns of.
def rarest(y): return np.where(y.any(1), (o := y.sum(0).argsort())[y[:,o].argmax(1)], y.shape[1])
def label_set(y): return np.unique(y, axis=0, return_inverse=True)[1].ravel()

def by_patient(f, cls, y, seed, groups):
    "`f` applied to patients, each with the union of its labels; every row gets its patient's part"
    code,names = pd.factorize(groups)
    union = np.zeros((len(names),y.shape[1]), dtype=bool)
    np.logical_or.at(union, code, y)
    return f(cls, union, seed)[code]

def splitters(t, y, g):
    GS,SG,MS,MK = GroupShuffleSplit,StratifiedGroupKFold,MultilabelStratifiedShuffleSplit,MultilabelStratifiedKFold
    return {'labels.split': lambda s: ours(t, s),
        'GroupShuffleSplit, twice': lambda s: shuffle_twice(GS, y, s, g),
        'StratifiedGroupKFold(10), rarest label': lambda s: ten(SG, rarest(y), s, g),
        'StratifiedGroupKFold(10), label set': lambda s: ten(SG, label_set(y), s, g),
        'MultilabelStratifiedShuffleSplit, images, twice': lambda s: shuffle_twice(MS, y, s),
        'MultilabelStratifiedKFold(10), images': lambda s: ten(MK, y, s),
        'MultilabelStratifiedShuffleSplit, patients, twice': lambda s: by_patient(shuffle_twice, MS, y, s, g)}

def fold_splitters(t, y, g):
    SG,MK = StratifiedGroupKFold,MultilabelStratifiedKFold
    return {'labels.kfold(5)': lambda s: ours_kfold(t, s),
        'StratifiedGroupKFold(5), rarest label': lambda s: folds(SG, rarest(y), s, g),
        'StratifiedGroupKFold(5), label set': lambda s: folds(SG, label_set(y), s, g),
        'MultilabelStratifiedKFold(5), images': lambda s: folds(MK, y, s),
        'MultilabelStratifiedKFold(5), patients': lambda s: by_patient(folds, MK, y, s, g)}

def measures(part, y, g, hernia):
    "What a split does: groups on both sides, gaps of prevalence, share of the rows in each part"
    rates,whole = np.stack([y[part==k].mean(0) for k in np.unique(part)]),y.mean(0) # (S,C), (C,)
    size = np.bincount(part)/len(part)*100
    who = pd.DataFrame(y).groupby(g).max()
    by_part = np.stack([who.loc[np.unique(g[part==k])].mean(0) for k in np.unique(part)])
    res = {'patients on both sides':(pd.Series(part).groupby(g).nunique()>1).sum(), 'gap, pp':abs(rates-whole).max()*100,
           'patients\' gap, pp':abs(by_part-who.mean(0).to_numpy()).max()*100,
           'Hernia, %':abs(rates[:,hernia]/whole[hernia]-1).max()*100}
    return res | ({'valid, %':size[VALID], 'test, %':size[TEST]} if len(size)==3 else {'smallest fold, %':size.min(), 'largest fold, %':size.max()})

def bench_split(fs, y, g, hernia, seeds=SEEDS):
    "Median over seeds of seconds and measures, one row for each splitter, and the worst gap"
    rows = {}
    for k,f in fs.items():
        each = [dict(seconds=s) | measures(part, y, g, hernia) for part,s in (seconds(lambda: f(o)) for o in seeds)]
        rows[k] = (df := pd.DataFrame(each)).median()
        rows[k]['worst gap, pp'] = df['gap, pp'].max()
    df = pd.DataFrame(rows).T
    return df[[*df.columns[:3], 'worst gap, pp', *df.columns[3:-1]]] # beside the median gap

def show(title, df):
    fmt = {o:'{:,.0f}'.format if 'sides' in o else '{:.3f}'.format if 'pp' in o else '{:.2f}'.format for o in df.columns}
    print(f'{title}\n{df.to_string(formatters=fmt)}\n', flush=True)

def main():
    csv = table()
    t = read(csv)
    y,g,hernia = t.targets.astype(bool),t._df.group.to_numpy(),t.vocab.index('Hernia')
    print(f'{len(t):,} rows, {t._df.group.nunique():,} patients, {len(t.vocab)} classes, {y[:,hernia].sum()} rows with Hernia\n')
    show('Read and encode, median of 5', bench_read(csv))
    note = f'median of {len(SEEDS)} seeds'
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'The least populated class') # rare label sets, see `label_set`
        show(f'80/10/10, {note}', bench_split(splitters(t, y, g), y, g, hernia))
        show(f'Five folds, {note}', bench_split(fold_splitters(t, y, g), y, g, hernia))
    libs = ('numpy','pandas','scikit-learn','iterative-stratification')
    print(f'{os.cpu_count()} cores, Python {platform.python_version()}, ' + ', '.join(f'{o} {version(o)}' for o in libs))

if __name__=='__main__': main()
