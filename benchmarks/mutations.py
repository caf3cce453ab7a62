"Damaged files: each is read, or refused with an `ImageError`, and costs no more time and memory than it may"
import argparse, io, logging, multiprocessing, os, resource, signal, sys, tempfile, time, warnings
from collections import Counter
from queue import Empty
from pathlib import Path
import imagecodecs, numpy as np
from PIL import Image
from pydicom.data import get_testdata_file
from multilabel_fastai.images.dicom import ImageError, is_dicom
from multilabel_fastai.images.preprocess import Preprocess
from multilabel_fastai.images.series import read_header

SIZE = 2**18 # bytes of the largest file that is damaged
WORDS = (0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff) # lengths, sizes

# Whole files

def dicom_files(folder=None):
    "Content of pydicom's own test files, and of the DICOM files in a folder, by name"
    files = sorted(Path(get_testdata_file('CT_small.dcm')).parent.glob('*.dcm'))
    if folder: files += sorted(f for f in Path(folder).iterdir() if f.is_file() and is_dicom(f))
    return {f.name:f.read_bytes() for f in files if f.stat().st_size<=SIZE}

def image_files(seed=0):
    "Content of images of every format that is opened, in several modes and kinds of compression, by name"
    rng = np.random.default_rng(seed)
    gray = Image.fromarray(rng.integers(0, 256, (31,37), dtype=np.uint8).repeat(2, 0))
    colour = Image.fromarray(rng.integers(0, 256, (24,30,3), dtype=np.uint8).repeat(2, 1))
    deep = Image.fromarray(rng.integers(0, 65536, (20,22), dtype=np.uint16))
    exif = Image.Exif()
    exif[274] = 6
    kinds = [(o,{}) for o in ('PNG','BMP','GIF','PPM','JPEG','WEBP','JPEG2000','TIFF')]
    kinds += [('JPEG',dict(progressive=True)), ('JPEG',dict(exif=exif)), ('WEBP',dict(lossless=True))]
    kinds += [('TIFF',dict(compression=o)) for o in ('tiff_lzw','tiff_adobe_deflate','packbits','jpeg')]
    res = {}
    def _add(name, im, kind, **kwargs):
        f = io.BytesIO()
        im.save(f, kind, **kwargs)
        res[' '.join([name, kind, *(f'{k}={o}' for k,o in kwargs.items() if k!='exif')])] = f.getvalue()
    for kind,kwargs in kinds:
        _add('gray', gray, kind, **kwargs)
        _add('colour', colour, kind, **kwargs)
        is_deep = kind in ('PNG','PPM','TIFF','JPEG2000') and kwargs.get('compression')!='jpeg'
        if is_deep: _add('deep', deep, kind, **kwargs)
    _add('palette', colour.quantize(16), 'PNG')
    res['deep colour PNG'] = imagecodecs.png_encode(rng.integers(0, 65536, (20,22,3), dtype=np.uint16))
    return res

# Damage

def _bits(b, rng):
    for i in rng.integers(0, len(b), rng.integers(1, 9)): b[i] ^= 1<<rng.integers(8)
    return b
def _head_bits(b, rng):
    for i in rng.integers(0, min(len(b), 700), rng.integers(1, 5)): b[i] = rng.integers(256)
    return b
def _cut(b, rng): return b[:rng.integers(1, len(b))]
def _cut_and_fill(b, rng):
    i = rng.integers(1, len(b))
    return b[:i]+bytes(len(b)-i)
def _word(b, rng):
    n = int(rng.choice([1,2,4]))
    i,v = int(rng.integers(0, max(1, min(len(b), 4000)-n))),int(rng.choice(WORDS))%2**(8*n)
    b[i:i+n] = v.to_bytes(n, str(rng.choice(['little','big'])))
    return b
def _removed(b, rng):
    i,n = rng.integers(0, len(b)),rng.integers(1, 65)
    return b[:i]+b[i+n:]
def _repeated(b, rng):
    i,n = rng.integers(0, len(b)),rng.integers(1, 257)
    return b[:i+n]+b[i:]
def _inserted(b, rng):
    i = rng.integers(0, len(b))
    return b[:i]+bytearray(rng.integers(0, 256, rng.integers(1, 33), dtype=np.uint8).tobytes())+b[i:]
DAMAGE = (_bits, _head_bits, _cut, _cut_and_fill, _word, _removed, _repeated, _inserted)

def damaged(files, i, seed):
    "Name and content of the `i`-th damaged file: one of `files`, with one to three kinds of damage"
    rng = np.random.default_rng([seed, i])
    name = list(files)[rng.integers(len(files))]
    b,how = bytearray(files[name]),rng.choice(len(DAMAGE), rng.integers(1, 4))
    for k in how:
        if len(b)>8: b = DAMAGE[k](b, rng)
    return f'{name} ({", ".join(DAMAGE[k].__name__[1:] for k in how)})',bytes(b)

# One file

MAX_PIXELS = 2**24 # a damaged header may well declare the largest image that is allowed
WAYS = [Preprocess(32, max_pixels=MAX_PIXELS), Preprocess(32, 'gray', 'crop', bit_depth=12, max_pixels=MAX_PIXELS),
    Preprocess((16,32), resize='pad', window='full', center=.5, max_pixels=MAX_PIXELS),
    Preprocess(16, window=['bone','file'], max_pixels=MAX_PIXELS)]

class Late(BaseException): "A file takes longer than it may"
def _late(*_): raise Late

def try_file(b, way, f):
    "'read', 'refused', or what happened instead; the header is read too"
    try:
        x = way(b)
        if x.dtype!=np.uint8 or x.shape!=way.shape: return f'result {x.dtype} {x.shape}'
        res = 'read'
    except ImageError as e: res = 'memory' if 'MemoryError' in str(e) else 'refused'
    except Late: return 'time'
    except BaseException as e: return f'{type(e).__name__}: {str(e)[:150]}'
    f.write_bytes(b)
    try: read_header(f, ['Rows','PatientAge'])
    except Late: return 'time of the header'
    except BaseException as e: return f'header: {type(e).__name__}: {str(e)[:150]}'
    return res

def memory(reset=False):
    "Bytes of this process at most since the last reset, on Linux; of its whole life elsewhere"
    if sys.platform!='linux': return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if reset: Path('/proc/self/clear_refs').write_text('5')
    line = next(o for o in Path('/proc/self/status').read_text().splitlines() if o.startswith('VmHWM'))
    return int(line.split()[1])*1024

def limit_process(gb):
    "Let this process have `gb` more of memory, and be quiet"
    warnings.simplefilter('ignore')
    logging.disable(logging.CRITICAL)
    signal.signal(signal.SIGALRM, _late)
    if sys.platform!='linux': return
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages*os.sysconf('SC_PAGE_SIZE')+int(gb*2**30),)*2)

def report_trial(queue, i, name, seconds, trial):
    "Put into a queue that trial `i` begins, and what came of it, with its time and memory"
    queue.put((i, name, None, 0., 0))
    before,t = memory(reset=True),time.perf_counter()
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try: res = trial()
    except Late: res = 'time'
    finally: signal.setitimer(signal.ITIMER_REAL, 0)
    queue.put((i, name, res, time.perf_counter()-t, memory()-before))

def work(numbers, o, queue, folder):
    "Try files in this process; say which one begins and what came of it, so that the death of the process has a name"
    files,at = dicom_files(o.files)|image_files(),Path(folder)/f'{os.getpid()}.bin'
    limit_process(o.gb)
    for i in numbers:
        name,b = damaged(files, i, o.seed)
        report_trial(queue, i, name, o.seconds, lambda: try_file(b, WAYS[i%len(WAYS)], at))
    queue.put(None)

class Worker:
    "A process that tries `numbers` in turn with `target`, and is replaced where it dies or hangs"
    def __init__(self, numbers, o, folder, target=work):
        self.numbers,self.o,self.folder,self.target = list(numbers),o,folder,target
        self.begun = None
        self.start()

    def start(self):
        self.queue = multiprocessing.Queue()
        args = (self.numbers, self.o, self.queue, self.folder)
        self.process = multiprocessing.Process(target=self.target, args=args, daemon=True)
        self.process.start()
        self.heard = time.monotonic()

    def results(self):
        "Number, name, result, seconds and bytes of the files that were tried since the last call"
        try:
            while (o:=self.queue.get(timeout=.05)) is not None:
                self.heard = time.monotonic()
                if o[2] is None: self.begun = o[:2]
                else:
                    self.numbers.remove(o[0])
                    self.begun = None
                    yield o
            self.numbers = []
        except Empty: pass
        late = time.monotonic()-self.heard
        ended = late>1 and not self.process.is_alive()
        if self.numbers and (ended or late>3*self.o.seconds+60): yield from self.replace(late)

    def replace(self, late):
        what = f'process died with {self.process.exitcode}' if not self.process.is_alive() else 'hangs'
        self.process.kill()
        if self.begun:
            self.numbers.remove(self.begun[0])
            yield *self.begun, what, late, 0
        self.begun = None
        if self.numbers: self.start()

def arguments(doc, n):
    "A parser with the flags of a campaign"
    p = argparse.ArgumentParser(description=doc)
    p.add_argument('-n', type=int, default=n, help='damaged files to try')
    p.add_argument('--first', type=int, default=0, help='number of the first; number and seed make the file')
    p.add_argument('--seed', type=int, default=0)
    p.add_argument('--processes', type=int, default=1)
    p.add_argument('--seconds', type=float, default=20, help='that a file may take')
    p.add_argument('--gb', type=float, default=1, help='of memory that a file may take')
    return p

def campaign(o, folder, target=work):
    "Number, name, result, seconds and bytes of each trial; what is neither read nor refused is printed at once"
    numbers,found,t = range(o.first, o.first+o.n),[],time.monotonic()
    workers = [Worker(numbers[i::o.processes], o, folder, target) for i in range(o.processes)]
    while any(w.numbers for w in workers):
        for w in workers:
            for i,name,res,seconds,size in w.results():
                if size>o.gb*2**30: res = 'memory'
                found.append((i, name, res, seconds, size))
                if res not in ('read','refused'): print(f'--first {i} -n 1: {name}: {res}', flush=True)
                if len(found)%2000==0: print(f'{len(found):,} files in {time.monotonic()-t:,.0f} s', flush=True)
    return found

def print_counts(found, kinds):
    "Print a line for each of `kinds`, the slowest and the largest; return whether all were read or refused"
    for what,of in kinds.items():
        n = Counter(o[2] for o in of)
        others = len(of)-n['read']-n['refused']
        print(f'{what}: {len(of):,} files, {n["read"]:,} read, {n["refused"]:,} refused, {others:,} anything else')
    slow,large = [sorted(found, key=lambda o: -o[k])[:3] for k in (3,4)]
    for i,name,_,seconds,_ in slow: print(f'slowest: {seconds:.1f} s, file {i}, {name}')
    for i,name,_,_,size in large: print(f'most memory: {size/2**20:,.0f} MiB, file {i}, {name}')
    return all(o[2] in ('read','refused') for o in found)

def main():
    p = arguments(__doc__, 20_000)
    p.add_argument('--files', help='folder of further DICOM files to damage')
    o = p.parse_args()
    with tempfile.TemporaryDirectory() as folder: found = campaign(o, folder)
    dicom = set(dicom_files(o.files))
    is_dicom = lambda o: o[1].split(' (')[0] in dicom
    kinds = {'DICOM':[o for o in found if is_dicom(o)], 'others':[o for o in found if not is_dicom(o)]}
    sys.exit(not print_counts(found, kinds))

if __name__=='__main__': main()
