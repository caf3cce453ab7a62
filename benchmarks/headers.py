"Milliseconds a file of `dicom_table` with the library's own scan of headers, and with pydicom in its place; both tables are equal"
import os, platform, tempfile, time, warnings
os.environ.setdefault('OMP_NUM_THREADS', '1')
import numpy as np, pandas as pd
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from pydicom.data import get_testdata_file
from multilabel_fastai.images import header_table
from multilabel_fastai.images.header_table import *
from multilabel_fastai.labels.readers import *
from multilabel_fastai.datasets.spine import *

ROUNDS = 9

@contextmanager
def by_pydicom():
    "Every header is one that the scan leaves to pydicom"
    scan,header_table._by_scan = header_table._by_scan,lambda *_: None
    try: yield
    finally: header_table._by_scan = scan

def table(files): return dicom_table(files, num_workers=0)

def seconds(files):
    "Seconds of the processor for one table"
    start = time.process_time()
    table(files)
    return time.process_time()-start

def check_same(files):
    ours = table(files)
    with by_pydicom(): pd.testing.assert_frame_equal(ours, table(files))

def bench(files):
    "Milliseconds a file on both sides, timed in turn, and the median of each round's ratios"
    check_same(files)
    rounds = []
    for _ in range(ROUNDS):
        ours = seconds(files)
        with by_pydicom(): rounds.append((ours, seconds(files)))
    ours,theirs = np.array(rounds).T
    return dict(files=len(files), ours=np.median(ours)/len(files)*1e3, pydicom=np.median(theirs)/len(files)*1e3,
                ratio=np.median(theirs/ours))

def main():
    warnings.simplefilter('ignore') # of pydicom, about values that the standard does not allow
    with tempfile.TemporaryDirectory() as tmp:
        sample_spine(tmp, studies=6, slices=(40,40), matrix=(512,512))
        sources = {'synthetic slices':sorted(Path(tmp).rglob('*.dcm')), 'CT_small.dcm of pydicom':[get_testdata_file('CT_small.dcm')]*240}
        folder = data_folder('dicom_conformance')
        if folder: sources['conformance set'] = sorted(folder.glob('*.dcm'))
        else: print('Without the conformance set: set MULTILABEL_FASTAI_DATA to the folder that holds dicom_conformance\n')
        print(pd.DataFrame({k:bench(v) for k,v in sources.items()}).T.astype(dict(files=int)).round(3).to_string())
    print(f'\nOne thread, Python {platform.python_version()}, pydicom {version("pydicom")}')

if __name__=='__main__': main()
