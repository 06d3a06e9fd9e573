"""What is read and checked before any training: the dataset, the model, and what every run will draw."""

from collections.abc import Sequence

from models.sequences import check_vocabulary
from models.source import find_model
from records.conversations import check_records
from records.dataset import Dataset
from selection.ifd import num_selected
from selection.scored_dataset import UPPER, NumberColumns, read_numbers
from shared.cli import UserError
from training.arms import OF_UPPER, Amount, Pool, draw_arm, split_records
from training.batches import check_budget
from training.experiment import Experiment, ExperimentSettings, load_model
from training.held_out import encode_dataset
from training.planting import read_planted

# Each run: an arm with a seed; the untrained model has none.
Plan = Sequence[tuple[str, int | None]]


def prepare(settings: ExperimentSettings, plan: Plan, dataset: Dataset) -> Experiment:
    """Read and check everything before any training, all that runs will draw too.

    Raises UserError for what would only show later.
    """
    check_records(dataset.records(), dataset.path, settings.fields)
    scores = read_keys(dataset, settings.key_name, [arm for arm, _ in plan])
    planted = read_planted(dataset)
    source = find_model(settings.model_name_or_path)
    if settings.lora_rank:
        from training.fine_tuning import import_peft

        import_peft()
    model, tokenizer = load_model(source, settings.device, settings.max_length)
    encoded = encode_dataset(dataset, tokenizer, settings.prompt, settings.max_length, settings.fields)
    highest = max((max(sequence.input_ids) for found in encoded.sequences for sequence in found), default=0)
    check_vocabulary(highest, model.get_input_embeddings().get_parameter("weight").shape[0])
    split = split_records(encoded.questions(), settings.held_out_rate, settings.split_seed, planted)
    lengths = [sum(sequence.num_scored for sequence in found) for found in encoded.sequences]
    pool = Pool(split.pool, scores, lengths, settings.key_name, float(settings.filter_threash), settings.length_groups)
    experiment = Experiment(settings, source, encoded, split, pool, amount_of(settings, pool), planted)
    for arm, seed in plan:
        if seed is not None:
            check_budget(draw_arm(arm, pool, experiment.amount, seed), lengths, settings.budget, seed)
    return experiment


def read_keys(dataset: Dataset, key_name: str, arms: Sequence[str]) -> NumberColumns:
    """Return the scores that these arms go by. Raises UserError where the dataset lacks them."""
    scores = read_numbers(dataset, (key_name,))
    of_upper = [arm for arm in dict.fromkeys(arms) if arm in OF_UPPER]
    if not of_upper or key_name == UPPER:
        return scores
    try:
        return scores | read_numbers(dataset, (UPPER,))
    except UserError as error:
        raise UserError(f"{error}; or leave {' and '.join(of_upper)} out of --arms") from None


def amount_of(settings: ExperimentSettings, pool: Pool) -> Amount:
    """Return how much of the pool an arm takes. Raises UserError when that is nothing."""
    is_tokens = settings.sample_by == "tokens"
    size = sum(pool.lengths[index] for index in pool.records) if is_tokens else len(pool.records)
    amount = Amount(num_selected(settings.sample_rate, size), is_tokens)
    if not amount.number:
        raise UserError(
            f"--sample_rate {settings.sample_rate}: of {len(pool.records)} records to train on that is none; "
            "give a higher rate"
        )
    return amount
