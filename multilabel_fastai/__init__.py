__version__ = "0.1.0"

import functools as _functools, gc as _gc, importlib as _importlib

# What a star import brings of each module. A module without a name here adds methods, such as `Learner.report`.
# Everything else is imported from its module, `from multilabel_fastai.losses.check import check_loss`, which loads what
# that module needs and no more. Modules of `utils` are for the library itself.
_star = {
    'labels.table': 'SPLITS LabelError LabelTable',
    'labels.build': '',
    'labels.readers': 'data_folder',
    'labels.rows': '',
    'labels.annotations': '',
    'labels.splits': '',
    'labels.logic': 'LabelLogic',
    'labels.metadata': 'MetadataEncoder',
    'labels.views': '',
    'metrics.predictions': 'Predictions',
    'metrics.classwise': '''auroc_multi average_precision_multi count_metric f1_multi fbeta_multi precision_multi
        recall_multi specificity_multi matthews_multi label_accuracy all_negative_accuracy''',
    'metrics.example_based': '''subset_accuracy hamming_loss_multi one_error coverage_error_multi ranking_loss
        label_ranking_average_precision''',
    'metrics.replicates': 'bootstrap_weights count_replicates mean_replicates metric_replicates',
    'metrics.intervals': '''percentile_interval centred_interval bca_interval paired_difference delong_interval
        delong_difference''',
    'metrics.proper_scores': 'brier_score log_loss_multi calibration_error wilson_interval rsna_2022_score',
    'decision.thresholds': '''threshold_curve plot_threshold_sweep expected_cost cost_threshold best_thresholds
        limit_labels expected_f_labels crossfit_decisions''',
    'decision.calibration': 'Calibration fit_calibration crossfit_calibration prior_correction estimate_prevalence',
    'decision.decision': 'Decision fit_decision crossfit_decision',
    'decision.readout': 'DecisionKey',
    'decision.report': 'ClassReport class_report plot_report',
    'decision.curves': '',
    'decision.curve_plots': '''plot_roc plot_precision_recall plot_reliability plot_thresholds plot_cost_curves
        plot_net_benefit''',
    'decision.ensemble': 'Ensemble',
    'decision.baseline': 'metadata_baseline',
    'images.decoders': '',
    'images.dicom_header': 'ImageError',
    'images.dicom_samples': '',
    'images.dicom': 'WINDOWS DicomError read_dicom',
    'images.header_table': 'dicom_table',
    'images.series': 'series_table series_files slice_neighbours slice_targets pool_slices',
    'images.nifti': 'read_nifti',
    'images.preprocess': 'open_image Preprocess',
    'images.files': '',
    'images.packs': 'PackedImages pack_images',
    'images.loaders': 'MultiLabelDLs',
    'images.datablock': 'DicomImage multilabel_block multilabel_dls',
    'images.sources': '',
    'images.crops': '',
    'losses.activations': 'activation_names get_activation',
    'losses.contract': 'MultiLabelLoss MultiLabelBCE register_loss loss_names loss_table get_loss wrap_loss why_not',
    'losses.check': 'check_loss',
    'losses.per_label': 'MultiLabelRSNA2022',
    'losses.ranking': '',
    'networks.heads': 'HEADS flat_head',
    'networks.weights': '',
    'networks.backbones': 'small_cnn small_resnet blood_cnn multilabel_network',
    'networks.slices': 'slice_attention slice_sequence attention_weights slice_scores plot_slices',
    'networks.keypoints': 'points_dls points_learner point_errors find_points plot_points',
    'networks.test_time': 'ViewNetwork',
    'networks.fusion': 'multi_view',
    'networks.engine': 'Engine',
    'datasets.public': '''NIH_FINDINGS find_dataset find_weights nih_chest_xray chexpert blood_cells
        miml_scenes pascal_2007 rsna_cervical_spine boxed_slices''',
    'datasets.digits': 'sample_digits',
    'datasets.spine': 'sample_spine spine_points',
    'datasets.rsna': 'rsna_hemorrhage rsna_abdominal_trauma rsna_lumbar_spine rsna_aneurysm',
    'datasets.clinical': 'vindr_cxr mimic_cxr_jpg padchest odir5k bccd med_mnist',
    'training.guards': 'Guards',
    'training.epoch_metrics': 'METRICS PooledMetric multilabel_metrics',
    'training.recorder': '',
    'training.learner': 'MultiLabelLearner TrainingHistory multilabel_learner plot_history',
    'training.evaluation': '',
    'training.frozen': 'backbone_features frozen_learner',
    'training.stages': 'NIH_STAGES Stage BatchLosses plot_batch_losses',
    'training.fit_state': 'CheckpointError',
    'training.checkpoints': 'Checkpoints',
    'training.patches': 'patch_fastai unpatch_fastai',
    'training.speed': 'GlobalSteps',
    'training.compare': 'COMPARISON_MEASURES LossComparison compare_losses',
    'training.compare_plots': '',
    'training.folds': 'fit_folds',
    'training.averaging': 'EMA SWA',
    'training.auxiliary': 'AuxiliaryTargets mask_targets',
    'insight.interpretation': 'MultiLabelInterpretation',
    'insight.interpretation_plots': '',
    'insight.heatmaps': 'label_heatmaps plot_heatmaps',
    'insight.heatmap_checks': 'pointing_game randomization_check',
    'insight.duplicates': 'near_duplicates plot_near_duplicates',
    'insight.label_audit': 'feature_fit label_issues label_issue_summary plot_label_issues',
    'insight.review': 'LabelReview merge_reviews',
    'insight.review_widget': 'LabelReviewWidget',
    'deploy.image_facts': '',
    'deploy.network_config': 'BundleError',
    'deploy.bundle': 'Bundle load_bundle',
    'deploy.ensembles': 'EnsembleBundle save_ensemble',
    'deploy.exports': 'load_export export_bundle compare_export',
    'deploy.resumable_table': 'read_predictions',
    'deploy.prediction': 'predict_table rsna_submission',
    'deploy.webpage': 'serve_bundle',
    'deploy.reduced_precision': 'reduce_precision',
    'commands.settings': 'RunSettings',
    'commands.runs': 'run_training',
    'commands.saved_runs': 'load_run evaluate_run bundle_run run_comparison',
    'commands.folds': 'run_folds load_folds evaluate_folds bundle_folds',
    'commands.sources': '',
    'commands.flags': '',
    'commands.console': '''mlf_train mlf_test mlf_compare mlf_pack mlf_sample mlf_predict mlf_bundle mlf_export
        mlf_serve mlf_info'''}
_module_of = {name:module for module,names in _star.items() for name in names.split()}
_packages = {'utils', *(o.partition('.')[0] for o in _star)}

def _fastai():
    from . import _quiet_fastai
    return _quiet_fastai.fastai.vision.all

@_functools.cache
def _load_all():
    """Load every module: a class such as `LabelTable` has methods that modules after its own add

    The garbage collector waits, as it would look several times at all that is loaded, and find nothing."""
    collects = _gc.isenabled()
    _gc.disable()
    try:
        for o in _star: _importlib.import_module(f'.{o}', __name__)
    finally:
        if collects: _gc.enable()

def __getattr__(name):
    if name == '__all__':
        _load_all()
        return [*(o for o in vars(_fastai()) if not o.startswith('_')), *_module_of]
    if name in _module_of:
        _load_all()
        return getattr(_importlib.import_module(f'.{_module_of[name]}', __name__), name)
    if not name.startswith('_') and name not in _packages and hasattr(_fastai(), name): return getattr(_fastai(), name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')

def __dir__(): return [*globals(), *_module_of]
