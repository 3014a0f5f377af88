"""The training loop: steps, evaluations, checkpoints, and in the end a model. Knows no library."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import cast

from xlt import backends
from xlt.backends.base import Prompt
from xlt.backends.training import NotFiniteError, Sample, Trainer, TrainingBackend
from xlt.cards.card import Card
from xlt.cards.tokenizer import load_tokenizer
from xlt.errors import Interrupted, XltError
from xlt.locks import hold
from xlt.tasks.render import Renderer
from xlt.training import finish
from xlt.training.brake import Brake
from xlt.training.course import Schedule, first_adapter, label_weights
from xlt.training.evaluation import Evaluation, Held, best_of
from xlt.training.folder import Folder, Standing
from xlt.training.job import Tuning
from xlt.training.listener import Deaf, Listener, Progress
from xlt.training.track import Nowhere, Track, check_track, track
from xlt.training.verdict import verdict

SAVE_SECONDS = 600.0
"""A checkpoint is written at least so often, and at every evaluation."""
_IDS = 40
# Whole steps that are timed for a plan, and the seconds from which a single example is slow.
_TIMED, _SLOW = 4, 5.0


@dataclass(frozen=True)
class Tuned:
    """What a training came to."""

    path: Path
    """The model's folder."""
    card: Card
    evaluations: tuple[Evaluation, ...]
    kept: Evaluation
    """Of the adapter that was kept: one of the others, or that of an average."""
    averaged: tuple[int, ...]
    """Steps of the adapters that were averaged; empty: none were."""
    peak_memory: int


def finetune(tuning: Tuning, listener: Listener) -> Tuned:
    """Do it. Raises XltError; Interrupted when the user stops it, with a checkpoint to go on from."""
    folder = Folder(tuning.workspace / "models" / tuning.name)
    folder.check(tuning)
    check_track(tuning.track)
    trainer = _trainer(tuning)
    try:
        if not trainer.leads:
            return _follow(_Loop(tuning, folder, trainer, Deaf()))
        with hold(folder.lock, f"The model {tuning.name}"):
            folder.check(tuning)
            folder.begin(tuning)
            return _Loop(tuning, folder, trainer, listener).run()
    except KeyboardInterrupt:
        raise Interrupted(str(folder.stopped(XltError("Stopped at once.")))) from None
    finally:
        trainer.close()


def seconds_per_step(tuning: Tuning) -> float:
    """What a step takes here, from timed ones; nothing is kept. Raises XltError as `finetune` does."""
    trainer = _trainer(tuning)
    try:
        return _Loop(tuning, Folder(tuning.workspace / "models" / tuning.name), trainer, Deaf()).seconds_per_step()
    finally:
        trainer.close()


def _trainer(tuning: Tuning) -> Trainer:
    backend = cast("TrainingBackend", backends.get(tuning.backend))
    course = tuning.recipe.course(tuning.seed)
    return backend.trainer(tuning.base.files, course, device=tuning.device, threads=tuning.threads)


def _follow(loop: _Loop) -> Tuned:
    """Work for the leading process until it stops."""
    try:
        return loop.run()
    except RuntimeError as error:
        # What a lost connection raises.
        raise XltError(f"The leading process has stopped ({str(error).splitlines()[0]}).") from None


class _Loop:
    """One training under way."""

    def __init__(self, tuning: Tuning, folder: Folder, trainer: Trainer, listener: Listener) -> None:
        self.tuning, self.folder, self.trainer, self.listener = tuning, folder, trainer, listener
        train = tuning.choice.train
        renderer = Renderer(tuning.task, load_tokenizer(tuning.base.files), trainer.loaded.max_tokens)
        rendered = renderer.encode([example.text for example in train])
        weights = label_weights(train, tuning.task, tuning.recipe)
        self.samples = [
            Sample(tuple(suffix), tuning.task.names.index(example.label), weight)
            for suffix, example, weight in zip(rendered.suffixes, train, weights, strict=True)
        ]
        self.held = Held(tuning.choice, renderer, tuning.recipe.pass_tokens)
        self.schedule = Schedule(tuning.recipe, len(train), tuning.seed)
        self.standing = Standing()
        self.track: Track = Nowhere()
        self.prompt = Prompt(renderer.prefix, renderer.labels)
        trainer.prepare(self.prompt)

    def seconds_per_step(self) -> float:
        """From some steps of the course, or from one example by its tokens where that alone is slow."""
        self.trainer.set_adapter(first_adapter(self.trainer.adapter(), self.tuning.seed))

        def took(batch: Sequence[Sample]) -> float:
            started = time.monotonic()
            self.trainer.step(batch, self.tuning.recipe.lr)
            return time.monotonic() - started

        one = sorted(self.samples, key=lambda sample: len(sample.suffix))[len(self.samples) // 2]
        # The first step of all also compiles and reserves memory.
        seconds = took([one])
        seconds = min(seconds, took([one])) if seconds < _SLOW else seconds
        if seconds < _SLOW / _TIMED:
            batches = (self.schedule.batch(number, self.samples) for number in range(min(_TIMED, self.schedule.steps)))
            return fmean(took([self.samples[at] for at in batch]) for batch in batches)
        prefix, of_all = len(self.prompt.prefix), sum(len(sample.suffix) for sample in self.samples)
        return seconds * (prefix + of_all / self.schedule.per_epoch) / (prefix + len(one.suffix))

    def run(self) -> Tuned:
        """All steps that are left, then the model."""
        recipe, standing = self.tuning.recipe, self._begin()
        leads = self.trainer.leads
        if leads:
            self.track = track(self.tuning, self.folder.training)
        begun, tokens, seconds, saved = standing.step, 0, 0.0, time.monotonic()
        with Brake(self.listener.say, heeds=leads) as brake:
            while standing.step < self.schedule.steps and not finish.impatient(standing.evaluations, recipe):
                learnt, took, loss = self._step(standing)
                tokens, seconds = tokens + learnt, seconds + took
                epoch = (standing.step - 1) // self.schedule.per_epoch + 1
                rate = self.schedule.rate(standing.step - 1)
                self.listener.progress(
                    Progress(
                        standing.step, self.schedule.steps, epoch, recipe.epochs, loss, rate, tokens, seconds, begun
                    )
                )
                due = self.schedule.evaluates(standing.step)
                if due:
                    self._evaluate(standing)
                # Others wait for the leader in their next step.
                if leads and (due or brake.pulled or time.monotonic() - saved > SAVE_SECONDS):
                    self.folder.save(self.trainer, standing, finish.wanted(standing.evaluations, recipe))
                    saved = time.monotonic()
                if brake.pulled:
                    raise Interrupted(
                        f"Stopped after step {standing.step:,} of {self.schedule.steps:,}; a checkpoint is in "
                        f"{self.folder.path}. Go on with the same command and --resume."
                    )
            return self._finish(standing)

    def _begin(self) -> Standing:
        """Where a training that was begun before stands, or its beginning."""
        found = self.folder.load(self.trainer) if self.tuning.resume else None
        if found is None:
            self.trainer.set_adapter(first_adapter(self.trainer.adapter(), self.tuning.seed))
        else:
            self.listener.say(f"Going on after step {found.step:,} of {self.schedule.steps:,}.")
        self.standing = found or Standing()
        if self.trainer.leads:
            self.folder.write_steps([], upto=self.standing.step)
            self.folder.write_epochs(self.standing.evaluations)
        return self.standing

    def _step(self, standing: Standing) -> tuple[int, float, float]:
        """One step; its tokens, seconds and loss."""
        number = standing.step
        chosen = self.schedule.batch(number, self.samples)
        rate = self.schedule.rate(number)
        started = time.monotonic()
        try:
            step = self.trainer.step([self.samples[at] for at in chosen], rate)
        except NotFiniteError as error:
            raise self._not_finite(error, number, chosen) from None
        except XltError as error:
            raise self.folder.stopped(error) from None
        took = time.monotonic() - started
        standing.step += 1
        standing.loss_sum += step.loss
        standing.loss_steps += 1
        standing.seconds += took
        if self.trainer.leads:
            epoch = number // self.schedule.per_epoch + 1
            row = (standing.step, epoch, repr(step.loss), repr(rate), f"{step.norm:.6g}", step.tokens, f"{took:.4f}")
            self.folder.write_steps([row])
        self.track.tell(standing.step, {"train/loss": step.loss, "train/norm": step.norm, "train/lr": rate})
        return step.tokens, took, step.loss

    def _evaluate(self, standing: Standing) -> None:
        train_loss = standing.loss_sum / standing.loss_steps
        found = self.held.evaluate(self.trainer, standing.step, standing.step / self.schedule.per_epoch, train_loss)
        standing.evaluations.append(found)
        standing.loss_sum, standing.loss_steps = 0.0, 0
        recipe = self.tuning.recipe
        if self.trainer.leads:
            if found.step in finish.wanted(standing.evaluations, recipe):
                self.folder.keep_adapter(found.step, self.trainer.adapter())
            self.folder.write_epochs(standing.evaluations)
        marks = {**found.groups, **found.languages}
        self.track.tell(found.step, {f"dev/{name}/macro-F1": each.macro_f1 for name, each in marks.items()})
        best = recipe.best != "last" and best_of(standing.evaluations, recipe.best) is found
        self.listener.evaluated(found, recipe.epochs, best)

    def _finish(self, standing: Standing) -> Tuned:
        """Choose or average, evaluate what is kept if it is new, write the model."""
        recipe, evaluations = self.tuning.recipe, standing.evaluations
        kept = best_of(evaluations, recipe.best)
        averaged = finish.averaged(evaluations, recipe)
        if standing.step < self.schedule.steps:
            self.listener.say(
                f"Stopped early: the last {recipe.patience} evaluations were no better than that of step {kept.step:,}."
            )
        if not self.trainer.leads:
            # The leader's counts, also when it is set; what this process gives has the right shapes, no more.
            adapter = self.trainer.adapter()
        elif len(averaged) > 1:
            adapter = finish.mean([self.folder.kept_adapter(step) for step in averaged])
        else:
            adapter = self.folder.kept_adapter(kept.step)
        # Scored once more: an evaluation keeps figures and no scores, and may be of a process that was killed.
        self.trainer.set_adapter(adapter)
        logits = self.held.score(self.trainer)
        if len(averaged) > 1:
            kept = self.held.evaluation(logits, standing.step, kept.epoch, kept.train_loss)
            best = recipe.best != "last" and kept.rank(recipe.best) > best_of(evaluations, recipe.best).rank(
                recipe.best
            )
            self.listener.say(f"Mean of the adapters of steps {', '.join(map(str, averaged))}:")
            self.listener.evaluated(kept, recipe.epochs, best)
        peak = self.trainer.peak_memory()
        loaded = self.trainer.loaded
        if self.trainer.leads:
            judged = verdict(self.held, logits, self.tuning.choice, self.tuning.task, finish.measured_on(recipe))
            card = finish.write_model(self.folder, self.tuning, adapter, kept, judged, standing, loaded)
            self.folder.tidy()
        else:
            card = Card(self.tuning.name, "", "")
        self.track.close()
        return Tuned(self.folder.path, card, tuple(evaluations), kept, tuple(averaged), peak)

    def _not_finite(self, error: NotFiniteError, number: int, chosen: list[int]) -> XltError:
        ids = [self.tuning.choice.train[at].id for at in chosen]
        named = ", ".join(ids[:_IDS]) + (" …" if len(ids) > _IDS else "")
        return XltError(
            f"Step {number + 1:,} failed: {error} Its examples are {named}. Look at them, or start anew under another "
            f"--name with a lower rate, such as --set lr={self.tuning.recipe.lr / 3:.2g} ({self.folder.whole()})."
        )
