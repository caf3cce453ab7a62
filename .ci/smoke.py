"""What an installation must do: train the digits for an epoch, read DICOM files, report, bundle, predict.
With --install COMMAND, that is run first, by a process that has imported numpy and pandas already, as the kernel of a notebook has."""
import argparse, subprocess, sys, tempfile
from pathlib import Path


def smoke(folder):
    "Do it, in `folder`, with the star of the library as its users have it"
    names = {}
    exec('from multilabel_fastai import *', names)
    from multilabel_fastai.deploy.bundle import load_bundle
    from multilabel_fastai.deploy.prediction import predict_table
    from pydicom.data import get_testdata_file
    for name in ('CT_small.dcm', 'JPEG2000.dcm', 'SC_rgb_jpeg_dcmtk.dcm'):  # raw, and two codecs; they come with pydicom
        image = names['read_dicom'](get_testdata_file(name, download=False))
        assert image.dtype == 'uint8' and image.max() > image.min(), name
    labels = names['sample_digits'](folder/'digits', n=300).split(valid=0.3)
    dls = names['multilabel_dls'](labels, size=64, color='gray', augment='none', bs=32, num_workers=0)
    learn = names['multilabel_learner'](dls, 'small_cnn', pretrained=False)
    learn.fit_one_cycle(1, 1e-2)
    learn.tune_decision()
    print(learn.report())
    learn.save_bundle(folder/'model')
    files = sorted((folder/'digits').rglob('*.png'))[:20]
    df = predict_table(load_bundle(folder/'model'), files, folder/'predictions.csv')
    assert len(df) == 20 and df.reason.isna().all(), df
    print(df.head())


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--install', help='shell command that installs the library')
    install = parser.parse_args().install
    if install:
        import numpy, pandas
        print(f'numpy {numpy.__version__} and pandas {pandas.__version__} are imported; now: {install}', flush=True)
        subprocess.run(['bash', '-c', install], check=True)
    with tempfile.TemporaryDirectory() as folder: smoke(Path(folder))
    print('smoke test passed')
