from .. import _quiet_fastai
