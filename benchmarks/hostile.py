"Hostile bundles, checkpoints, packs, runs, tables and requests: each is read, or refused with its own kind of error"
import contextlib, hashlib, http.client, json, os, secrets, shutil, socket, sys, tempfile, time, warnings
from copy import deepcopy
from functools import partial
from pathlib import Path
import numpy as np, torch
from PIL import Image
from mutations import DAMAGE, Late, arguments, campaign, limit_process, print_counts, report_trial
from multilabel_fastai import *
from multilabel_fastai.images.packs import PackError
from multilabel_fastai.training.fit_state import CheckpointError
from multilabel_fastai.deploy.network_config import BundleError
from multilabel_fastai.deploy.image_facts import ImageFacts
from multilabel_fastai.deploy.resumable_table import FileCounts, PredictionError, ResumableTable
from multilabel_fastai.commands.runs import RunError, run_training
from multilabel_fastai.commands.saved_runs import load_run

# What is attacked

def images(folder, n=24):
    "A table of gray PNG of 32 pixels"
    rng = np.random.default_rng(0)
    folder.mkdir()
    for i in range(n): Image.fromarray(rng.integers(0, 256, (32,32), dtype=np.uint8)).save(folder/f'{i:02}.png')
    y = rng.integers(0, 2, (n,2)).astype(np.float32)
    return LabelTable([f'{i:02}.png' for i in range(n)], y, ['disc','square'], root=folder).split(valid=.25, test=.25)

def new_learner(labels, *cbs):
    dls = multilabel_dls(labels, size=32, color='gray', bs=6, num_workers=0, device='cpu', check=False, seed=0)
    net = partial(small_cnn, widths=(4,8))
    learn = multilabel_learner(dls, net, pretrained=False, head='linear', seed=0, cbs=list(cbs))
    learn.remove_cb(ProgressCallback)
    learn.logger = noop
    return learn

ABOUT = dict(columns=['path','disc','labels','reason'], model='a model')
ITEMS = [(f'{i}.png',f'{i}.png',None) for i in range(4)]

def begun_table(out):
    "A table of predictions of which one of two parts is there"
    rows = pd.DataFrame(dict(path=['0.png','1.png'], disc=np.float32([.1,.9]), labels=['','disc'], reason=[None,None]))
    with ResumableTable(out, ABOUT, 2) as t: t.write(rows, FileCounts(2, facts=ImageFacts()))

def make_originals(folder):
    "One whole folder of each kind"
    warnings.simplefilter('ignore')
    labels = images(folder/'images')
    learn = new_learner(labels)
    learn.fit(1)
    learn.tune_decision(n_boot=0)
    learn.save_bundle(folder/'bundle')
    new_learner(labels, Checkpoints(folder/'checkpoint', minutes=0, keep=2)).fit_one_cycle(2, 1e-2)
    for o in (folder/'checkpoint').glob('*'): # one in the middle of an epoch stays
        if '-epoch1-batch' not in o.name: o.unlink()
    labels.pack(folder/'pack', size=32, color='gray', num_workers=0, shard_mb=.01)
    with open(os.devnull, 'w') as f, contextlib.redirect_stdout(f):
        run_training(labels, folder/'run', arch='small_cnn', size=32, color='gray', augment='none', num_workers=0, bs=6,
                     epochs=1, device='cpu', check=False)
    for o in [*(folder/'run').glob('*.png'), *(folder/'run').glob('*.csv')]:
        if o.name!='labels.csv': o.unlink()
    (folder/'table').mkdir()
    begun_table(folder/'table'/'out.csv')

# Damage

VALUES = (None, True, False, -1, 0, 1, 0.5, -1e308, 1e308, float('nan'), float('inf'), 10**6, 10**18, 10**400, 2**31,
          '', 'x', 'x'*10**5, '\0', '../../etc/passwd', '/dev/zero', 'float64', 'O', [], {}, [None], [[]], ['a','a'],
          [0]*10**5, {'a':{}}, {'$tensor':'x'}, {'$array':['O',[1]]}, {'$array':['float64',['a']]}, {'$tuple':1})

def deep(n):
    res = 0
    for _ in range(n): res = [res]
    return res

def places(v, at=()):
    "All places in nested dicts and lists"
    items = v.items() if isinstance(v, dict) else enumerate(v) if isinstance(v, list) else ()
    for k,o in items:
        yield (*at,k)
        yield from places(o, (*at,k))

def changed_json(v, rng):
    "A copy with one to three values changed, removed, repeated or nested"
    v = deepcopy(v)
    for _ in range(rng.integers(1, 4)):
        where = list(places(v))
        if not where: return v
        *at,k = where[rng.integers(len(where))]
        o = v
        for a in at: o = o[a]
        how = rng.integers(8)
        if how==0: del o[k]
        elif how==1 and isinstance(o, list): o.insert(k, deepcopy(o[k]))
        elif how==2: o[k] = deep(int(rng.choice([20,400])))
        elif how==3 and isinstance(o[k], (int,float)): o[k] = o[k]*int(rng.choice([-1,2,1000,10**6]))
        else: o[k] = deepcopy(VALUES[rng.integers(len(VALUES))])
    return v

def refit(folder):
    "Let sizes and checksums of a bundle fit again, as a forger would"
    file = folder/'config.json'
    if file.is_symlink() or not file.is_file() or file.stat().st_size>2**22: return
    try:
        c = json.loads(file.read_text())
        w = folder/c['weights']['file']
        if w.is_file() and not w.is_symlink():
            with open(w, 'rb') as f: digest = hashlib.file_digest(f, 'sha256').hexdigest()
            c['weights'] |= dict(bytes=w.stat().st_size, sha256=digest)
        text = json.dumps({k:v for k,v in c.items() if k!='checksum'}, sort_keys=True, ensure_ascii=False)
        c['checksum'] = hashlib.sha256(text.encode()).hexdigest()
        file.write_text(json.dumps(c))
    except (ValueError,TypeError,KeyError,OSError,AttributeError,RecursionError): pass

def _json(file, rng):
    try: text = json.dumps(changed_json(json.loads(file.read_text()), rng))
    except (ValueError,RecursionError): return _bytes(file, rng)
    file.write_text(text)

def _header(file, rng):
    "Change the header of a safetensors file, or the tree that stands in it; without the checksums, as a forger would"
    b = file.read_bytes()
    n = int.from_bytes(b[:8], 'little')
    h = json.loads(b[8:8+n])
    about = h.get('__metadata__', {})
    if 'checkpoint' in about and rng.integers(4):
        about.pop('sums', None)
        about['checkpoint'] = json.dumps(changed_json(json.loads(about['checkpoint']), rng))
    else: h = changed_json(h, rng)
    text = json.dumps(h).encode()
    file.write_bytes(len(text).to_bytes(8, 'little')+text+b[8+n:])

def _array(file, rng):
    "Another array in place of the one in a file"
    x = np.load(file)
    new = [x.astype(np.float32), x.astype(np.int8), x[:-1], x[...,:-1], np.asfortranarray(x), x.reshape(-1), x[None],
           np.array([None]*len(x)), x.astype('V1'), np.concatenate([x,x]), np.uint8(0)]
    np.save(file, new[rng.integers(len(new))], allow_pickle=True)

def _cell(file, rng):
    "Other content in a cell of a CSV file"
    rows = [o.split(',') for o in file.read_text().split('\n')]
    row = rows[rng.integers(len(rows))]
    row[rng.integers(len(row))] = str(VALUES[rng.integers(len(VALUES))])[:2000]
    file.write_text('\n'.join(map(','.join, rows)))

def _bytes(file, rng):
    b = bytearray(file.read_bytes())
    for k in rng.choice(len(DAMAGE), rng.integers(1, 4)):
        if len(b)>8: b = DAMAGE[k](b, rng)
    file.write_bytes(b)

def _large(file, rng):
    with open(file, 'r+b') as f: f.truncate(2**int(rng.integers(20, 29))) # of holes

def _pipe(file, rng):
    file.unlink()
    os.mkfifo(file)
def _folder(file, rng):
    file.unlink()
    file.mkdir()
def _link(file, rng):
    file.unlink()
    file.symlink_to(str(rng.choice(['/dev/zero','/dev/null','/dev/tty','/etc/passwd','/',file.name,'away','..'])))
def _removed(file, rng): file.unlink()
def _empty(file, rng): file.write_bytes(b'')
def _swapped(file, rng):
    others = sorted(o for o in ORIGINALS.rglob('*') if o.is_file())
    shutil.copy(others[rng.integers(len(others))], file)

OF_KIND = {'.json':(_json,)*6, '.safetensors':(_header,)*4, '.npy':(_array,)*3, '.csv':(_cell,)*4}
OF_ALL = (_bytes,_bytes,_bytes,_bytes,_large,_pipe,_folder,_link,_removed,_empty,_swapped)
ORIGINALS = None

def damage_folder(folder, rng):
    "Damage one or two files below a folder; return what was done"
    done = []
    for _ in range(rng.integers(1, 3)):
        files = sorted(o for o in folder.rglob('*') if o.is_file() and not o.is_symlink() and o.stat().st_size<2**22)
        if not files: break
        f = files[rng.integers(len(files))]
        ways = OF_KIND.get(f.suffix, ())+OF_ALL
        how = ways[rng.integers(len(ways))]
        try: how(f, rng)
        except (ValueError,LookupError,ArithmeticError,EOFError,RecursionError): _bytes(f, rng)
        done.append(f'{f.name} {how.__name__[1:]}')
    if rng.integers(3): refit(folder)
    return ', '.join(done)

# One trial of each kind

def _try_bundle(f):
    b = load_bundle(f, 'cpu')
    if b.preprocess.dicom_only: return
    res = b.predict(Image.new('RGB', (40,40)))
    p = res[b.vocab].to_numpy()
    if not ((0<=p)&(p<=1)).all() and res.labels.notna().any(): raise AssertionError(f'probabilities {p}')

def _try_checkpoint(f):
    cp = Checkpoints(f, minutes=None, keep=1)
    cp.table()
    new_learner(LABELS, cp).fit_one_cycle(2, 1e-2)

def _try_pack(f):
    p = PackedImages(f)
    x = p.gather(range(len(p)))
    if x.dtype!=np.uint8 or x.shape!=(len(p),*p.preprocess.shape): raise AssertionError(f'{x.dtype} {x.shape}')

def _try_run(f): load_run(f, device='cpu', images=False).predictions('test')

def _try_table(f):
    with ResumableTable(f/'out.csv', ABOUT, 2) as t:
        for items in t.remaining(ITEMS): t.write(t.read(0).assign(path=[o for o,*_ in items]), t.counts(0))
        read_predictions(t.join())

KINDS = dict(bundle=(_try_bundle,BundleError), checkpoint=(_try_checkpoint,CheckpointError), pack=(_try_pack,PackError),
             run=(_try_run,RunError), table=(_try_table,PredictionError))

def try_folder(kind, f):
    "'read', 'refused', or what happened instead"
    trial,error = KINDS[kind]
    try: trial(f)
    except Late: return 'time'
    except error as e: return 'memory' if 'allocate' in str(e) else 'refused' if str(e) else 'an error without a word'
    except BaseException as e: return f'{type(e).__name__}: {str(e)[:200]}'
    return 'read'

# The page

PATHS = ('', 'config', 'theme.css', 'static/x', 'assets/index.js', 'gradio_api/upload', 'gradio_api/queue/join',
         'gradio_api/queue/data?session_hash=a', 'gradio_api/heartbeat/a', 'gradio_api/file=/etc/passwd',
         'gradio_api/file=../../etc/passwd', 'gradio_api/proxy=http://127.0.0.1:9', 'gradio_api/stream/x', 'docs',
         'gradio_api/cancel', 'gradio_api/reset', 'gradio_api/component_server', '%2e%2e/%2e%2e/etc/passwd', 'login',
         'gradio_api/startup-events', 'gradio_api/app_id', 'gradio_api/token', 'monitoring', '\\..\\..', 'x'*5000,
         'gradio_api/info', 'logout')
HOSTS = ('example.org', '127.0.0.1.example.org', '', 'localhost.example.org:80', 'a b', '[::', 'x'*3000)
ORIGINS = ('https://example.org', 'null', 'http://localhost:1', 'file://', '', 'x'*3000)

def _multipart(rng, content):
    name = str(rng.choice(['a.png','../../x.png','/etc/passwd','a\0.png','x'*3000+'.png','<b>.png','a.dcm','.','']))
    parts = int(rng.choice([1,1,1,2,30]))
    one = f'--x\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode('latin-1', 'replace')
    return (one+content+b'\r\n')*parts+b'--x--\r\n'

def _event(rng, path):
    "An event of the queue, with hostile data"
    o = dict(path=path, orig_name='a.png', meta={'_type':'gradio.FileData'})
    good = dict(data=[o], fn_index=int(rng.integers(2)), session_hash=secrets.token_hex(4))
    return json.dumps(changed_json(good, rng) if rng.integers(3) else good).encode()

def request(rng, contents, uploaded):
    "Method, path, headers and body of a hostile request"
    headers,body,path = {},b'',str(rng.choice(PATHS))
    method = str(rng.choice(['GET','GET','POST','POST','PUT','OPTIONS','HEAD','DELETE','TRACE']))
    if rng.integers(2): method,path = 'POST',str(rng.choice(['gradio_api/upload','gradio_api/queue/join']))
    if path.endswith('upload'):
        b = bytearray(contents[rng.integers(len(contents))])
        for k in rng.choice(len(DAMAGE), rng.integers(0, 3)):
            if len(b)>8: b = DAMAGE[k](b, rng)
        body = _multipart(rng, bytes(b))
        headers['Content-Type'] = 'multipart/form-data; boundary=x'
    elif method=='POST':
        body = _event(rng, uploaded[-1] if uploaded and rng.integers(2) else '/etc/passwd')
        headers['Content-Type'] = 'application/json'
    if not rng.integers(6): headers['Host'] = str(rng.choice(HOSTS))
    if not rng.integers(6): headers['Origin'] = str(rng.choice(ORIGINS))
    if body and not rng.integers(8): headers['Content-Length'] = str(rng.choice(['0','5','100000000','-1','x']))
    if body and not rng.integers(8): body = bytes(_damaged(bytearray(body), rng))
    return method,path,headers,body

def _damaged(b, rng): return DAMAGE[rng.integers(len(DAMAGE))](b, rng)

def send(port, method, path, headers, body, seconds=2):
    "Status and text of the answer to a request as it stands; the connection is closed after it"
    lines = [f'{method} /{path} HTTP/1.1', *(f'{k}: {v}' for k,v in (dict(Host=f'127.0.0.1:{port}')|headers).items())]
    if body and 'Content-Length' not in headers: lines.append(f'Content-Length: {len(body)}')
    with socket.create_connection(('127.0.0.1',port), timeout=seconds) as s:
        s.sendall('\r\n'.join([*lines,'Connection: close','','']).encode('latin-1', 'replace')+body)
        r = http.client.HTTPResponse(s, method=method)
        r.begin()
        return r.status,r.read(2**20).decode('utf-8', 'replace')

def try_request(server, port, contents, uploaded, rng):
    "'read', 'refused', or what happened instead"
    method,path,headers,body = request(rng, contents, uploaded)
    try: status,text = send(port, method, path, headers, body)
    except (OSError,http.client.HTTPException): status,text = 400,'' # closed without an answer
    except Late: return 'time'
    if status==200 and path.endswith('upload') and text.startswith('['): uploaded.extend(json.loads(text))
    foreign = headers.get('Host') or headers.get('Origin')
    if foreign and status<400 and method!='OPTIONS': return f'{method} {path} of {foreign[:40]} was served: {status}'
    for word in ('Traceback','root:x:0',str(ORIGINALS)):
        if word in text: return f'{method} {path} says {word}'
    if status>=500 and status not in (503,507):
        return f'{method} {path[:60]} {headers} {body[:300]}: {status} {text[:200]}'
    if sum(len(o[2]) for o in os.walk(server.folder))>4100: return 'too many files are kept'
    return 'read' if status<400 else 'refused'

class Page:
    "A page that is asked, with what was uploaded to it"
    def __init__(self, folder):
        self.server = serve_bundle(folder/'bundle', port=None, max_mb=1)
        self.port,self.uploaded,self.n = int(self.server.url.split(':')[-1].strip('/')),[],0
        png = (folder/'images'/'00.png').read_bytes()
        self.contents = [png, b'', b'a text', png*50, bytes(2*10**6), (folder/'bundle'/'config.json').read_bytes()]

    def state(self):
        "What is wrong with it, or None: it still does what it is for, and keeps nothing that was broken off"
        for _ in range(20): # those that came to their end have folders
            if not (kept := [o for o in self.server.folder.iterdir() if o.is_file()]): break
            time.sleep(.5)
        if kept: return f'{len(kept)} files are left of uploads that were broken off'
        try: alive = send(self.port, 'GET', 'config', {}, b'', 10)[0]==200
        except (OSError,http.client.HTTPException): alive = False
        return None if alive else 'the page is dead'

    def attack(self, rng):
        "Try one request, and after every fifty look at the page"
        self.n += 1
        res = try_request(self.server, self.port, self.contents, self.uploaded, rng)
        return self.n%50==0 and self.state() or res

# Campaign

def work(numbers, o, queue, folder):
    "Try folders and requests in this process"
    global ORIGINALS,LABELS
    ORIGINALS,at,page = Path(folder)/'originals',Path(folder)/str(os.getpid()),None
    torch.set_num_threads(1)
    sys.stdout = sys.stderr = open(os.devnull, 'w') # fits print their progress, and a page what it refuses
    LABELS = LabelTable.from_onehot(ORIGINALS/'labels.csv', path_col='path', split_col='split', root=ORIGINALS/'images')
    if 'page' in o.kinds: page = Page(ORIGINALS)
    for kind in KINDS: # whole ones are read; this also imports and allocates once what is needed
        shutil.copytree(ORIGINALS/kind, at)
        if (res:=try_folder(kind, at))!='read': raise RuntimeError(f'{kind}: {res}')
        shutil.rmtree(at)
    limit_process(o.gb)
    for i in numbers:
        rng,kind = np.random.default_rng([o.seed, i]),o.kinds[i%len(o.kinds)]
        if kind=='page':
            report_trial(queue, i, 'page (request)', o.seconds, partial(page.attack, rng))
            continue
        shutil.rmtree(at, ignore_errors=True)
        shutil.copytree(ORIGINALS/kind, at)
        name = f'{kind} ({damage_folder(at, rng)})'
        report_trial(queue, i, name, o.seconds, partial(try_folder, kind, at))
    if page: page.server.close()
    queue.put(None)

def main():
    kinds = [*KINDS,'page']
    p = arguments(__doc__, 6000)
    p.add_argument('--kinds', nargs='+', default=kinds, choices=kinds, help='what to attack, one after the other')
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        originals = Path(folder)/'originals'
        originals.mkdir()
        make_originals(originals)
        images_of = LabelTable.from_onehot(originals/'run'/'labels.csv', path_col='path', split_col='split')
        images_of.to_csv(originals/'labels.csv')
        found = campaign(o, folder, work)
    of = {k:[r for r in found if r[1].split(' (')[0]==k] for k in o.kinds}
    sys.exit(not print_counts(found, of))

if __name__=='__main__': main()
