"""What fine-tuning, the other eye, and age and sex add on ODIR-5K: mean AUROC and mAP of 8 classes, split by patient

Reads MULTILABEL_FASTAI_DATA. The predictions of each network and fold are kept in --out and not computed again."""
import argparse, itertools, platform
import numpy as np, pandas as pd, timm, torch
from importlib.metadata import version
from pathlib import Path
from fastai.vision.all import Callback, TrainEvalCallback, set_seed
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits
from multilabel_fastai import *
from multilabel_fastai.utils.files import view_files
from multilabel_fastai.datasets.public import find_weights
from multilabel_fastai.networks.heads import linear_head
from multilabel_fastai.metrics.replicates import auroc_replicates, average_precision_replicates, unit_weights
from scipy.special import expit, logit # after the star import, whose logit is of tensors

RIDGES = [1e-3,3e-3,1e-2,3e-2,1e-1] # penalties of the head on frozen features; validation patients decide

def options():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--out', type=Path, default='odir', help='folder of the pack, the features and the predictions')
    p.add_argument('--arch', default='tf_efficientnet_lite0', help='an EfficientNet of timm')
    p.add_argument('--size', type=int, default=224)
    p.add_argument('--cut', type=int, default=5, help='block of the backbone, of 7, from which on it is trained')
    p.add_argument('--folds', type=int, nargs='*', default=[0], help='of 0 to 4, to fine-tune')
    p.add_argument('--epochs', type=int, default=3)
    p.add_argument('--lr', type=float, default=3e-4, help='highest learning rate')
    p.add_argument('--bs', type=int, default=32)
    p.add_argument('--n-boot', type=int, default=1000)
    return p.parse_args()

def fold_tables(eyes):
    "Five tables: the patients of a fold are for the test, a tenth of the others for validation"
    tests = [t.with_split(t.df.split.replace('valid', 'test')) for t in eyes.kfold(5, seed=42)]
    return [t.split(valid=0.1, keep=('test',), seed=42) for t in tests]

def learner(table, pack, a):
    "A learner whose backbone are the blocks before the cut, and whose head are the others and a linear layer"
    net = timm.create_model(a.arch, pretrained=True, pretrained_cfg_overlay=dict(file=find_weights(a.arch)))
    def _late(nf, n_out):
        return nn.Sequential(*net.blocks[a.cut:], net.conv_head, net.bn2, *linear_head(net.num_features, n_out))
    stats = [net.default_cfg[o] for o in ('mean','std')]
    dls = multilabel_dls(table, bs=a.bs, pack=pack, stats=stats, check=False, seed=42)
    return multilabel_learner(dls, nn.Sequential(net.conv_stem, net.bn1, *net.blocks[:a.cut]), head=dict(name=_late))

def early_features(table, pack, a):
    "Maps of all eyes at the cut, computed once for all folds"
    file = a.out/f'maps-{a.arch}-{a.size}-{a.cut}.pt'
    if not file.exists(): torch.save(backbone_features(learner(table, pack, a)), file)
    return torch.load(file, weights_only=False)

@torch.no_grad()
def frozen_features(learn, feats, eyes, a):
    "Features (N,F) of the whole backbone as it was trained on ImageNet, in the order of the table"
    file = a.out/f'features-{a.arch}-{a.size}.npy'
    if file.exists(): return torch.from_numpy(np.load(file))
    maps,at = torch.cat([o[0] for o in feats.x]),{o:i for i,o in enumerate(itertools.chain(*feats.files))}
    x = torch.cat([learn.model[1][:-1].eval()(o) for o in maps.split(a.bs)])[[at[o] for o in eyes.files]]
    np.save(file, x.numpy())
    return x

def fit_head(x, y, ridge):
    "Weights (F,C) and bias (C,) of a linear head with a ridge penalty, by L-BFGS"
    w,b = torch.zeros(x.shape[1], y.shape[1], requires_grad=True),torch.zeros(y.shape[1], requires_grad=True)
    opt = torch.optim.LBFGS([w,b], max_iter=200, history_size=10, line_search_fn='strong_wolfe')
    def _loss():
        opt.zero_grad()
        loss = binary_cross_entropy_with_logits(x@w+b, y, reduction='sum')/len(y)+ridge/2*(w**2).sum()
        loss.backward()
        return loss
    opt.step(_loss)
    return w.detach(),b.detach()

def best_head(table, x):
    "The head whose penalty has the best mAP on the validation eyes"
    split,y = table.df.split.to_numpy(),torch.tensor(table.targets)
    train,valid = split=='train',split=='valid'
    mean,std = x[train].mean(0),x[train].std(0)+1e-3
    heads = [fit_head((x[train]-mean)/std, y[train], o) for o in RIDGES]
    w,b = max(heads, key=lambda o: average_precision_multi((((x[valid]-mean)/std)@o[0]+o[1]).sigmoid(), y[valid]))
    w = w/std[:,None]
    return w,b-mean@w

class KeepNorms(Callback):
    "The batch norm keeps its statistics, so that the network begins as what the head was fitted on"
    run_after = TrainEvalCallback
    def before_train(self):
        for m in self.model.modules():
            if isinstance(m, nn.BatchNorm2d): m.eval()

class FlipMaps(Callback):
    "Mirror half of the maps of a training batch from left to right, and half of them upside down"
    def before_batch(self):
        if not self.training: return
        x, = self.xb
        for d in (2,3): x = torch.where(torch.rand(len(x), 1, 1, 1)<0.5, x.flip(d), x)
        self.learn.xb = (x,)

def fine_tune(table, fold, pack, feats, head, a):
    "Predictions of validation and test eyes of a network that starts from the head on its frozen features"
    set_seed(42)
    whole = learner(table, pack, a)
    with torch.no_grad():
        for p,o in zip(whole.model[1][-1].parameters(), (head[0].T,head[1])): p.copy_(o)
    saved = Checkpoints(a.out/f'{name_of(a)}-{fold}', keep=1)
    learn = frozen_learner(whole, feats, cbs=[EMA(), KeepNorms(), FlipMaps(), saved])
    learn.accelerate('fp32', channels_last=True)
    with learn.no_bar(): learn.fit_one_cycle(a.epochs, a.lr)
    whole.history.to_csv(a.out/f'{name_of(a)}-{fold}-history.csv', index=False)
    return pd.concat([learn.predictions(o, calibrated=False) for o in ('valid','test')])

def name_of(a): return f'{a.arch}-{a.size}-{a.cut}-{a.epochs}-{a.lr:g}-{a.bs}'

def network_scores(table, fold, pack, feats, head, a):
    "Scores (N,C) of the eyes of a fold in the order of its table, NaN for training eyes; fine-tuned once and kept"
    file = a.out/f'{name_of(a)}-{fold}.csv'
    if not file.exists(): fine_tune(table, fold, pack, feats, head, a).to_csv(file, index=False)
    df = pd.read_csv(file).set_index('path').reindex(table.paths)
    return logit(df[list(table.vocab)].to_numpy().clip(1e-7, 1-1e-7))

def stacked(parts, y, valid):
    "Scores (N,C): a logistic regression for each class over the scores (N,C) of each part, fitted on validation rows"
    x = np.stack(parts, 2) # (N,C,parts)
    def _class(c):
        model = LogisticRegression().fit(x[valid,c], y[valid,c])
        return model.intercept_+x[:,c]@model.coef_[0]
    return np.stack([_class(c) for c in range(y.shape[1])], 1)

def metadata_scores(table):
    "Scores (N,C) by age and sex alone, from the training rows; NaN for these"
    res = np.full(table.targets.shape, np.nan)
    for o in ('valid','test'):
        rows = (table.df.split==o).to_numpy()
        res[rows] = logit(metadata_baseline(table, ['age','sex'], o).probs.clip(1e-7, 1-1e-7))
    return res

def of_eyes(scores, table):
    "Name -> scores of the test eyes, with the labels of each eye"
    df,y = table.df,table.targets
    row = {o:i for i,o in enumerate(zip(df.group, df.eye))}
    other = [row.get((g, 'left' if e=='right' else 'right'), i) for i,(g,e) in enumerate(zip(df.group, df.eye))]
    (valid,test),meta = [(df.split==o).to_numpy() for o in ('valid','test')],metadata_scores(table)
    parts = {'one eye':[scores], 'with the other eye':[scores,scores[other]], 'with age and sex':[scores,meta],
             'with both':[scores,scores[other],meta]}
    res = {k:scores if len(v)==1 else stacked(v, y, valid) for k,v in parts.items()}
    res['age and sex alone'] = meta
    return {('eye',k):(v[test], y[test], df.group[test]) for k,v in res.items()}

def of_patients(scores, table, patients):
    "Name -> scores of the test patients, with the official labels of a patient"
    split_of = dict(zip(table.df.group, table.df.split))
    patients = patients.with_split([split_of[o] for o in patients.df.group])
    files,score = [view_files(o) for o in patients.paths],pd.DataFrame(scores, table.paths)
    left,right = [score.loc[[o[k] for o in files]].to_numpy() for k in ('left','right')]
    mean,meta,df = logit((expit(left)+expit(right))/2),metadata_scores(patients),patients.df
    valid,test = [(df.split==o).to_numpy() for o in ('valid','test')]
    res = {'left eye':left, 'right eye':right, 'mean of both eyes':mean,
           'mean, with age and sex':stacked([mean,meta], patients.targets, valid), 'age and sex alone':meta}
    return {('patient',k):(v[test], patients.targets[test], df.group[test]) for k,v in res.items()}

MEASURES = {'AUROC':auroc_replicates, 'mAP':average_precision_replicates}

def measured(scores, y, weights):
    "Measure -> value and replicates of its mean over the classes"
    both = np.concatenate([unit_weights(len(y)), weights])
    res = {k:np.nanmean(f(expit(scores), y, both), 1) for k,f in MEASURES.items()}
    return {k:(v[0],v[1:]) for k,v in res.items()}

def as_text(value, low, high, sign=''): return f'{value:{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})'

def result_table(results, n_boot):
    "A row for each input: values of the frozen and the fine-tuned network, and their paired difference"
    rows = []
    for key,by_kind in results.items():
        joined = {k:[np.concatenate(o) for o in zip(*v)] for k,v in by_kind.items()}
        groups,row = joined['frozen'][2],dict(zip(('labels of','input'), key), patients=len(set(joined['frozen'][2])))
        weights = bootstrap_weights(groups, n_boot)
        got = {k:measured(*o[:2], weights) for k,o in joined.items()}
        for m in MEASURES:
            if key[1].endswith('alone'): got = {'frozen':got['frozen']}
            for kind,o in got.items(): row[f'{m}, {kind}'] = as_text(o[m][0], *centred_interval(*o[m]))
            if len(got)<2: continue
            (a,ra),(b,rb) = got['fine-tuned'][m],got['frozen'][m]
            d = paired_difference(a, b, ra, rb).iloc[0]
            row[f'{m}, difference'] = as_text(d.difference, d.low, d.high, '+')
        rows.append(row)
    return pd.DataFrame(rows).fillna('').set_index(['labels of','input'])

def main():
    a = options()
    a.out.mkdir(parents=True, exist_ok=True)
    eyes,patients = odir5k(),odir5k(of='patient').join_views('eye', views=['left','right'])
    patients = patients[[len(view_files(o))==2 for o in patients.paths]]
    pack = eyes.pack(a.out/f'pack-{a.size}', size=a.size, num_workers=0)
    tables,everywhere,tuned = fold_tables(eyes),{},{}
    feats = early_features(tables[0], pack, a)
    x = frozen_features(learner(tables[0], pack, a), feats, eyes, a)
    for fold,table in enumerate(tables):
        head = best_head(table, x)
        kinds = {'frozen':(x@head[0]+head[1]).double().numpy()}
        if fold in a.folds: kinds['fine-tuned'] = network_scores(table, fold, pack, feats, head, a)
        for kind,scores in kinds.items():
            for k,v in (of_eyes(scores, table)|of_patients(scores, table, patients)).items():
                if kind=='frozen': everywhere.setdefault(k, {}).setdefault(kind, []).append(v)
                if fold in a.folds: tuned.setdefault(k, {}).setdefault(kind, []).append(v)
    print(f'{a.arch} at {a.size} pixels, {len(eyes):,} eyes and {len(patients):,} patients with both')
    print(f'\nAll five folds:\n{result_table(everywhere, a.n_boot).to_string()}')
    if tuned: print(f'\nFolds {a.folds}, fine-tuned:\n{result_table(tuned, a.n_boot).to_string()}')
    print(f'\nPython {platform.python_version()}, '+', '.join(f'{o} {version(o)}' for o in ('torch','fastai','timm')))

if __name__=='__main__': main()
