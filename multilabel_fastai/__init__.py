__version__ = "0.0.1"

import sys as _sys, warnings as _warnings
with _warnings.catch_warnings():
    _warnings.filterwarnings('ignore', '.*torch.jit.script', FutureWarning) # fastai's own, while it is imported
    from fastai.vision.all import *
from .labels.table import *
from .labels.readers import *
from .labels.splits import *
from .labels.logic import *
from .images.decoders import *
from .images.dicom import *
from .images.series import *
from .images.preprocess import *
from .images.packs import *
from .images.loaders import *
from .images.datablock import *
from .losses.activations import *
from .losses.contract import *
from .losses.per_label import *
from .losses.ranking import *
from .losses.check import *
from .metrics.predictions import *
from .metrics.classwise import *
from .metrics.example_based import *
from .metrics.replicates import *
from .metrics.intervals import *
from .metrics.proper_scores import *
from .decision.thresholds import *
from .decision.calibration import *
from .decision.decision import *
from .decision.readout import *
from .decision.report import *
from .decision.curves import *
from .decision.curve_plots import *
from .networks.heads import *
from .networks.backbones import *
from .networks.slices import *
from .networks.keypoints import *
from .training.guards import *
from .training.epoch_metrics import *
from .training.recorder import *
from .training.learner import *
from .training.evaluation import *
from .training.frozen import *
from .training.stages import *
from .training.fit_state import CheckpointError, write_checkpoint, read_checkpoint
from .training.checkpoints import *
from .training.patches import *
from .training.speed import *
from .training.compare import *
from .training.compare_plots import *
from .insight.interpretation import *
from .insight.heatmaps import *
from .insight.heatmap_checks import *
from .insight.duplicates import *
from .insight.label_audit import *
from .insight.review import *
from .insight.review_widget import *
from .deploy.image_facts import *
from .deploy.network_config import *
from .deploy.bundle import *
from .deploy.exports import *
from .deploy.prediction import *
from .deploy.webpage import *
from .datasets.public import *
from .datasets.digits import *
from .datasets.spine import *
from .commands.runs import *
from .commands.saved_runs import *
from .commands.console import *
from .commands.model_console import *

# All that a star import brings: fastai's names and the library's, but not the names of the modules they come from.
_modules = {o[len(__name__)+1:].partition('.')[0] for o in _sys.modules if o.startswith(__name__+'.')}
__all__ = [o for o in globals() if not o.startswith('_') and o not in _modules]
