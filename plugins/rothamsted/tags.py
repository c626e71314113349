"""The names under which a sweep writes itself down, in MLflow's tags and Optuna's attributes.

Apart because writers and readers must agree on them, and a reader of the record needs one place to look.
"""

ROLE = "rothamsted.role"  # sweep, trial, confirmation, replicate, contest
TRIAL_ROLES = ("trial", "confirmation")  # runs of a condition; a confirmation was a trial before it had its own role
SWEEP = "rothamsted.sweep"  # name of the sweep
STUDY = "rothamsted.study"
TRIAL = "rothamsted.trial"  # number of the trial: 0, 1, ...
REPLICATE = "rothamsted.replicate"  # 0, 1, ... within the trial
SEED = "rothamsted.seed"
VARIED = "rothamsted.varied"  # as JSON: what a replicate sets beside its condition, where the file lists what varies
CONDITION = "rothamsted.condition"  # as JSON, where the run's params can be read in two ways
PHASE = "rothamsted.phase"  # search, confirm, contest
RACE = "rothamsted.race"  # dropped after N, narrow after N, survived; while it races: racing
RACING = "racing"  # value of RACE of a condition that is still in
OUTCOME = "rothamsted.outcome"  # finished, diverged, failed, interrupted
ATTEMPT = "rothamsted.attempt"  # 1, 2, ...: grows with each retry
REASON = "rothamsted.reason"  # one line, for a replicate without a score
PRUNED_BECAUSE = "rothamsted.pruned"  # one line, on a trial that was pruned
PARETO = "rothamsted.pareto"  # yes or no, on the trials of a sweep with several objectives that was analysed
STOPPED_EARLY = "rothamsted.stopped_early"  # one line, on a replicate that did not improve any more
STAGE_OF = "rothamsted.stage_of"  # run id of the sweep whose later stage a sweep is
NEXT_SWEEP = "rothamsted.next_stage"  # name of the sweep that is the next stage, on a stage that is over
RESUMED_FROM_STEP = "rothamsted.resumed_from_step"  # step at which the stage before had ended, on a replicate
MODEL = "rothamsted.model"  # URI of the model that the run's training made: models:/m-...
MODEL_PROBLEM = "rothamsted.model_problem"  # one line, where its model could not be logged
KEPT = "rothamsted.kept"  # whose weights a model has, on it and on its run: step 40, best val_accuracy
DEVICE = "rothamsted.device"  # on a replicate: the GPU that its worker was given; none without
CODE_DIGEST = "rothamsted.code_digest"  # SHA-256 of the study's source files; several joined by +
STARTED = "rothamsted.started"  # on a sweep's run: "call", or the address that `mlflow run` was given, where not `.`
BY_CALL = "call"  # value of STARTED of a sweep that a Python call started
DATA_SHA = "rothamsted.data_digest"  # SHA-256 of the data
ORIGIN_FILE = "origin.json"  # artifact of a run of a sweep or by hand: what ORIGIN has, by name; once these were tags
ORIGIN = (CODE_DIGEST, DATA_SHA, "rothamsted.git_dirty", "rothamsted.host", "rothamsted.project_commit")
CONTESTANT = "rothamsted.contestant"  # label of a condition in a contest
HOLDER = "rothamsted.holder"  # number of the claim whose worker may write to this run
CONTINUES = "rothamsted.continues"  # run id of the sweep run that an outer run went on with
METRICS_FILE = "metrics.json"  # artifact beside the resolved sweep: what the study declares of its metrics

RUN_ID = "rothamsted:run_id"  # Optuna: run of a trial, or of the sweep
TARGET = "rothamsted:n_replicates"  # Optuna: replicates that a trial of a race shall have
VERDICT = "rothamsted:race"  # Optuna: how a trial left the race, and why
ROUND = "rothamsted:round"  # Optuna, of the sweep: the round that its race is in
PRUNED = "rothamsted:pruned"  # Optuna: why a trial was pruned
STAGE = "rothamsted:stage"  # Optuna, of a later stage: which one, of which sweep, after which
NEXT_STAGE = "rothamsted:next_stage"  # Optuna, of a stage that is over: the next one's name, the trials that go on
CONFIRMS = "rothamsted:confirms"  # Optuna, of the confirmation: which trial, replicate and seed, below which run
CONFIRMED = "rothamsted:confirmed"  # Optuna, of the confirmation: trial -> its result over all replicates
CONFIRMATION_OF = "rothamsted:confirmation_of"  # Optuna, of the confirmation: name of the sweep
CONTEST = "rothamsted:duel"  # Optuna, of a contest: its contestants and their labels
OPENING = "rothamsted:opening"  # Optuna, of a sweep that is being started: ids of its experiment and its run
RESULT = "rothamsted:result"  # Optuna: the trial's replicates and their summary
EXPERIMENT_ID = "rothamsted:experiment_id"
DATA_DIGEST = "rothamsted:data_digest"
ROWS = "rothamsted:rows"  # Optuna, of the sweep: metric -> over how many rows it is a share
CODE_DIGESTS = "rothamsted:code_digests"  # Optuna, of the sweep: of the study's code in each session, without repeats
ATTEMPTS = "rothamsted:attempts"  # Optuna: replicate -> how often its training has failed
CRASHES = "rothamsted:crashes"  # Optuna: replicate -> how many workers died while running it
GROWN = "rothamsted:grown"  # Optuna, of a sweep that has grown: what was added when, in order
GROWN_TAG = "rothamsted.grown"  # on the run of a sweep that has grown: what was added when, a line each
GROWN_FILE = "grown.json"  # artifact beside the resolved sweep: the same with the file as it was before each growth
PARENT_SWEEP = "rothamsted.parameters_from"  # name and run of the sweep whose winner's values are fixed in this one
