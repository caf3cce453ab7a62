"Files per second of `read_dicom`, beside pydicom with the plug-ins gdcm and libjpeg followed by fastai's windowing"
import os, platform, sys, tempfile, time
import imagecodecs, numpy as np, pandas as pd, torch
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from fastai.torch_core import tensor
from pydicom import dcmread, uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import get_frame
from pydicom.pixels import get_decoder
from multilabel_fastai.images.dicom import *
from multilabel_fastai.labels.readers import *
from multilabel_fastai.datasets.spine import *
from multilabel_fastai.datasets.spine import _write_dicom

WIDTH,LEVEL = 1800,400
FILES,ROUNDS = 48,9 # Distinct files of each kind; passes over all of them on each side
SYNTAXES = {'JPEG Lossless SV1':uid.JPEGLosslessSV1, 'RLE Lossless':uid.RLELossless, 'uncompressed':uid.ExplicitVRLittleEndian, 'JPEG-LS':uid.JPEGLSLossless}
NEEDS = ('pylibjpeg','pylibjpeg-libjpeg','pylibjpeg-openjpeg','python-gdcm')
NOT_THEIRS = ('imagecodecs','pyjpegls') # our plug-in, and the one that writes the JPEG-LS files

def check_plugins():
    "Exit unless the plug-ins of the other side are there, and no others"
    def has(o):
        try: return bool(version(o))
        except PackageNotFoundError: return False
    if lost:=[o for o in (*NEEDS,'pyjpegls') if not has(o)]: sys.exit(f'Not installed: {", ".join(lost)}. pip install {" ".join(lost)}')
    if has('pylibjpeg-rle'): sys.exit('pylibjpeg-rle is installed, which is not part of the comparison: pip uninstall pylibjpeg-rle')

# Data: the same slices in four transfer syntaxes

def drawn():
    "Hounsfield units of drawn slices, with noise"
    with tempfile.TemporaryDirectory() as tmp:
        sample_spine(tmp, studies=3, slices=(FILES//3,)*2, matrix=(512,512))
        yield from (modality_values(o) for o in sorted(Path(tmp).rglob('*.dcm')))

def real(noise=0., seed=42):
    "Hounsfield units of one CT slice, shifted and mirrored to be a different file each time, with noise of a standard deviation"
    hu,rng = modality_values(data_folder('dicom_conformance')/'pydicom__693_UNCI.dcm'),np.random.default_rng(seed)
    for i in range(FILES):
        x = np.roll(hu, tuple(rng.integers(-40, 40, 2)*(i>0)), (0,1))[:,::-1 if i%2 else 1]
        yield x+noise*rng.standard_normal(x.shape, dtype=np.float32)

def header():
    ds = Dataset()
    ds.SOPClassUID,ds.Modality,ds.SamplesPerPixel,ds.PhotometricInterpretation = '1.2.840.10008.5.1.4.1.1.2','CT',1,'MONOCHROME2'
    ds.Rows,ds.Columns,ds.PixelSpacing,ds.SliceThickness,ds.WindowCenter,ds.WindowWidth = 512,512,[.4,.4],1.,400,1800
    ds.BitsAllocated,ds.BitsStored,ds.HighBit,ds.PixelRepresentation,ds.RescaleSlope,ds.RescaleIntercept = 16,12,11,0,1,-1024
    ds.StudyInstanceUID,ds.SeriesInstanceUID,ds.PatientID,ds.file_meta = '1.2.826.0.1','1.2.826.0.1.1','1',FileMetaDataset()
    return ds

def write(slices, folder):
    "Files of each syntax"
    res = {o:[] for o in SYNTAXES}
    for i,hu in enumerate(slices):
        a = np.rint(hu+1024).clip(0, 4095).astype(np.uint16)
        for name,ts in SYNTAXES.items():
            ds,fn = header(),folder/f'{name}_{i}.dcm'
            ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f'1.2.826.0.1.1.{i+1}'
            ds.file_meta.TransferSyntaxUID = ts
            if ts!=uid.JPEGLSLossless: _write_dicom(fn, ds, a)
            else: # by pyjpegls, which is told that 12 of the 16 bits are used
                ds.compress(ts, a, encoding_plugin='pyjpegls', generate_instance_uid=False)
                ds.save_as(fn, enforce_file_format=True)
            res[name].append(fn)
    return res

# The two sides

def windowed(ds):
    "fastai.medical.imaging's `scaled_px`, then its `windowed`; the formulas are written out because the module imports kornia and scikit-image"
    x = tensor(ds.pixel_array.astype(np.float32))*ds.RescaleSlope+ds.RescaleIntercept
    x,lo,hi = x.clone(),LEVEL-WIDTH//2,LEVEL+WIDTH//2
    x[x<lo] = lo
    x[x>hi] = hi
    return (x-lo)/(hi-lo)

def theirs(f): return windowed(dcmread(f))
def ours(f): return read_dicom(f, window=(WIDTH,LEVEL))

def one_thread(): torch.set_num_threads(1)

def without(*plugins):
    "pydicom's own order without `plugins`, in this process"
    for ts in SYNTAXES.values():
        for o in set(get_decoder(ts).available_plugins) & set(plugins): get_decoder(ts).remove_plugin(o)

def start(*plugins): one_thread(); without(*plugins)
def process(*plugins): return ProcessPoolExecutor(1, get_context('spawn'), start, plugins)
def in_order(): return {k:', '.join(get_decoder(o).available_plugins) or 'none needed' for k,o in SYNTAXES.items()}
def levels(fs): return [(dcmread(f).pixel_array, np.rint(theirs(f).numpy()*255)) for f in fs]

def seconds(f, files):
    start = time.perf_counter()
    for o in files: f(o)
    return time.perf_counter()-start

def check_same(pool, files):
    "Both sides read the same stored values, and the same gray levels but for rounding"
    for f,(a,y) in zip(files, pool.submit(levels, files).result()):
        assert (stored_values(f)==a).all() and abs(ours(f)-y).max()<=1, f

def bench(pool, no_gdcm, files):
    "Files per second of the sides, timed in turn, and the median of each round's ratios; one row for each syntax"
    rows = {}
    for k,fs in files.items():
        check_same(pool, fs[:3])
        rounds = np.array([(seconds(ours, fs), *(o.submit(seconds, theirs, fs).result() for o in (pool, no_gdcm))) for _ in range(ROUNDS+1)][1:]) # the first one warms up
        ratio,other = (rounds[:,1:]/rounds[:,:1]).T
        rows[k] = dict(zip(('ours','theirs','without gdcm'), len(fs)/np.median(rounds, 0))) | {'ratio':np.median(ratio), 'lowest':ratio.min(), 'highest':ratio.max(),
            'ratio without gdcm':np.median(other), 'kB a file':np.mean([o.stat().st_size for o in fs])/1024}
    return pd.DataFrame(rows).T

# Where our time goes

CODECS = {uid.JPEGLosslessSV1:imagecodecs.jpeg8_decode, uid.JPEGLSLossless:imagecodecs.jpegls_decode, uid.RLELossless:lambda o: imagecodecs.dicomrle_decode(o, '<u2', out=2*512*512)}

def frame_of(f):
    ds = dcmread(f)
    return get_frame(ds.PixelData, 0, number_of_frames=1) if ds.file_meta.TransferSyntaxUID.is_compressed else None

def bench_parts(pool, files, n=5):
    "Milliseconds of a file in each step, the step that takes most, and the ratio to the other side if nothing but reading and the codec were left"
    rows = {}
    for k,fs in files.items():
        bs,frames = [o.read_bytes() for o in fs],[frame_of(o) for o in fs]
        fns = [(Path.read_bytes, fs), (scan_header, bs), (CODECS.get(SYNTAXES[k], lambda o: None), frames), (stored_values, bs), (ours, bs)]
        rounds = np.array([[*(seconds(f, o) for f,o in fns), pool.submit(seconds, theirs, fs).result()] for _ in range(n)])/len(fs)*1e3
        file,scan,codec,stored,all_ = np.median(rounds[:,:-1], 0)
        row = {'read file':file, 'scan header':scan, 'codec':codec, 'around it':stored-scan-codec, 'window table':all_-stored}
        rows[k] = row | {'which limit remains':max(row, key=row.get), 'ratio at most':np.median(rounds[:,-1]/(rounds[:,0]+rounds[:,2]))}
    return pd.DataFrame(rows).T

def show(title, df):
    whole,text = ('ours','theirs','without gdcm','kB a file'),'which limit remains'
    fmt = {o:'{:,.0f}'.format if o in whole else '{:.1f}'.format if 'ratio' in o or o in ('lowest','highest') else '{:.2f}'.format for o in df.columns if o!=text}
    print(f'{title}\n{df.to_string(formatters=fmt)}\n', flush=True)

def main():
    check_plugins()
    one_thread()
    sources = {'Drawn slices':drawn}
    folder = data_folder('dicom_conformance')
    if folder and (folder/'pydicom__693_UNCI.dcm').exists(): sources |= {'Real slice, with noise of 15 HU':lambda: real(15.), 'Real slice, smooth as it is':real}
    else: print('Drawn slices only: set MULTILABEL_FASTAI_DATA to the folder that holds dicom_conformance/pydicom__693_UNCI.dcm for a real one\n')
    with tempfile.TemporaryDirectory() as tmp, process(*NOT_THEIRS) as pool, process(*NOT_THEIRS, 'gdcm') as no_gdcm:
        print('Their plug-ins, first one first: ' + '; '.join(f'{k}: {v}' for k,v in pool.submit(in_order).result().items()) + '\n')
        for i,(title,slices) in enumerate(sources.items()):
            (d := Path(tmp)/str(i)).mkdir()
            files = write(slices(), d)
            show(f'{title}, files per second, median of {ROUNDS}', bench(pool, no_gdcm, files))
            show(f'{title}, milliseconds of a file on our side', bench_parts(pool, files))
    libs = ('numpy','torch','pydicom','imagecodecs',*NEEDS)
    print(f'{os.cpu_count()} cores, one used, Python {platform.python_version()}, ' + ', '.join(f'{o} {version(o)}' for o in libs))

if __name__=='__main__': main()
