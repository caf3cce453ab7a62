__version__ = "0.0.1"

import sys as _sys, warnings as _warnings
with _warnings.catch_warnings():
    _warnings.filterwarnings('ignore', '.*torch.jit.script', FutureWarning) # fastai's own, while it is imported
    from fastai.vision.all import *
from .labels import *
from .readers import *
from .splits import *
from .logic import *
from .decoders import *
from .dicom import *
from .series import *
from .images import *
from .packed import *
from .data import *
from .activations import *
from .losses import *
from .label_losses import *
from .ranking_losses import *
from .metrics import *
from .example_metrics import *
from .intervals import *
from .delong import *
from .scoring import *
from .thresholds import *
from .calibration import *
from .decision import *
from .report import *
from .curves import *
from .networks import *
from .attention import *
from .points import *
from .guards import *
from .epoch_metrics import *
from .learner import *
from .evaluate import *
from .frozen import *
from .stages import *
from .checkpoints import *
from .speed import *
from .loggers import *
from .compare import *
from .interpretation import *
from .heatmaps import *
from .label_audit import *
from .review import *
from .review_widget import *
from .bundle import *
from .exports import *
from .prediction import *
from .webpage import *
from .datasets import *
from .digits import *
from .spine import *
from .runs import *
from .saved_runs import *
from .cli import *
from .model_cli import *

# All that a star import brings: fastai's names and the library's, but not the names of the modules they come from.
_modules = {o[len(__name__)+1:] for o in _sys.modules if o.startswith(__name__+'.')}
__all__ = [o for o in globals() if not o.startswith('_') and o not in _modules]
