"Forward and backward of every loss, and of others' losses of the same formula, as a multiple of `torch.nn.BCEWithLogitsLoss`"
import platform, os, time, warnings
import numpy as np, pandas as pd, torch
from importlib.metadata import version
from torch import nn
from timm.loss import AsymmetricLossMultiLabel, DistributionBalancedLoss, PolyBinaryCrossEntropy, TwoWayLoss, ZlprLoss
from torchvision.ops import sigmoid_focal_loss
from multilabel_fastai import activation_names, get_loss, loss_names, why_not
from multilabel_fastai.losses.ranking import margin_targets

SIZES,ROUNDS,PREVALENCE = ((256,15),(4096,100)),15,0.1

def device(): return 'cuda' if torch.cuda.is_available() else 'cpu'

def steps(loss, x, y, n):
    "Seconds of `n` times forward and backward"
    if x.is_cuda: torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(n):
        x.grad = None
        loss(x, y).backward()
    if x.is_cuda: torch.cuda.synchronize()
    return time.perf_counter()-start

def every_loss(n, c):
    "All pairs of activation and loss that can work"
    kwargs = lambda o: dict(pos=[n*PREVALENCE]*c, known=n) if o in ('cb','db') else dict(n_classes=c) if o.startswith('rsna') else {}
    pairs = [(a,o) for o in loss_names() for a in activation_names() if not why_not(a, o)]
    return {o:get_loss(o[1], o[0], **kwargs(o[1])).to(device()) for o in pairs}

def peers(n, c, y):
    "Losses of torch, torchvision and timm with the same formula; they know no unknown labels"
    idx,margin = margin_targets(y),nn.MultiLabelMarginLoss()
    return {('sigmoid','asl'):AsymmetricLossMultiLabel(), ('sigmoid','db'):DistributionBalancedLoss([n*PREVALENCE]*c, n).to(y.device), ('sigmoid','poly'):PolyBinaryCrossEntropy(),
            ('identity','twoway'):TwoWayLoss(), ('identity','zlpr'):ZlprLoss(), ('sigmoid','mlsm'):nn.MultiLabelSoftMarginLoss(),
            ('sigmoid','focal'):lambda x,y: sigmoid_focal_loss(x, y, reduction='mean'), ('identity','mlm'):lambda x,y: margin(x, idx)}

def bench(n, c):
    "Milliseconds, and the median of the ratios to torch's loss timed before and after in each round"
    torch.manual_seed(0)
    x,y = torch.randn(n, c, device=device(), requires_grad=True),(torch.rand(n, c, device=device())<PREVALENCE).float()
    base,own = nn.BCEWithLogitsLoss(),every_loss(n, c)
    losses = own|{(*k,'peer'):o for k,o in peers(n, c, y).items()}
    for o in losses.values(): steps(o, x, y, 3)
    times = max(2, int(0.02/(steps(base, x, y, 20)/20)))
    res = {k:[] for k in losses}
    for _ in range(ROUNDS):
        for k,o in losses.items():
            before,took,after = steps(base, x, y, times),steps(o, x, y, times),steps(base, x, y, times)
            res[k].append((took/times*1e3, 2*took/(before+after)))
    med = {k:np.median(v, 0) for k,v in res.items()}
    return pd.DataFrame({k:(*med[k], med.get((*k,'peer'), [np.nan]*2)[1]) for k in own}, index=[f'ms ({n},{c})','ratio','peer']).T

def main():
    warnings.filterwarnings('ignore', message='.*deprecated.*')
    res = pd.concat([bench(*o) for o in SIZES], axis=1)
    res.index.names = ['activation','loss']
    print(res.sort_index(level=1).round(2).to_string(na_rep=''))
    print(f'{device()}, {torch.get_num_threads()} threads of torch, {os.cpu_count()} cores, Python {platform.python_version()}, ' + ', '.join(f'{o} {version(o)}' for o in ('torch','torchvision','timm','entmax')))

if __name__=='__main__': main()
