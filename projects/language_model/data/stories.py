"""Write small stories from a seeded grammar, so that the default run needs no file.

Each story has a hero, a place, a thing, a wish and an end that depends on what came before: there is something to
learn at every distance, from spelling to who the story is about.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

VERSION = 1  # part of the cache's key: raise it whenever the same seed gives other stories

_GIRLS = ("Lily", "Mia", "Anna", "Sue", "Zoe", "Ella")
_BOYS = ("Tom", "Ben", "Max", "Sam", "Leo", "Tim")
_ANIMALS = ("cat", "dog", "bird", "frog", "bear", "duck", "fox", "mouse")
_PLACES = ("the park", "the garden", "the forest", "the beach", "the farm", "the big house")
_THINGS = ("ball", "kite", "cake", "book", "boat", "hat", "drum", "box", "apple", "bell")
_ADJECTIVES = ("red", "big", "small", "shiny", "old", "blue", "pretty", "funny")
_OPENINGS = ("Once upon a time", "One day", "Long ago", "One sunny morning")
_FEELINGS = {"happy": "smiled", "sad": "cried", "scared": "hid", "proud": "danced"}
_LOSSES = ("it fell into the water", "the wind took it away", "it rolled under a tree", "it was gone")
_LESSONS = ("share", "be brave", "ask for help", "say sorry", "be kind")


class Hero(NamedTuple):
    """Holds the hero of a story, with its pronouns and other words."""

    name: str
    kind: str
    subject: str  # he, she
    possessive: str  # his, her


def write_stories(n: int, seed: int) -> list[str]:
    """Write stories that all differ.

    Args:
        n: How many.
        seed: Equal seeds give equal stories, and a smaller n the head of a larger one.
    """
    rng = np.random.default_rng(seed)
    stories: dict[str, None] = {}
    while len(stories) < n:
        stories[" ".join(_sentences(rng))] = None
    return list(stories)


def _sentences(rng: np.random.Generator) -> Iterator[str]:
    hero, friend = _hero(rng), _pick(rng, _ANIMALS)
    place, thing, adjective = _pick(rng, _PLACES), _pick(rng, _THINGS), _pick(rng, _ADJECTIVES)
    yield f"{_pick(rng, _OPENINGS)}, there was a {hero.kind} named {hero.name}."
    if rng.random() < 0.5:
        yield f"{hero.name} had a friend, a little {friend}."
    yield f"{hero.subject.capitalize()} loved to play in {place} with {hero.possessive} {adjective} {thing}."
    if rng.random() < 0.6:
        feeling = _pick(rng, ("sad", "scared"))
        yield f"But then {_pick(rng, _LOSSES)}, and {hero.name} was {feeling}. {_reaction(hero, feeling)}"
        yield f'The {friend} said, "Do not be {feeling}, {hero.name}! I can find the {thing}."'
        yield f"They looked in {place} until the {friend} saw the {adjective} {thing}."
    else:
        other = _pick(rng, _THINGS)
        yield f'A {friend} came and said, "Can I play with the {thing}?"'
        yield f"{hero.name} gave the {thing} to the {friend}, and the {friend} gave {hero.name} a {other}."
    feeling = _pick(rng, ("happy", "proud"))
    yield f"{hero.name} was {feeling}. {_reaction(hero, feeling)}"
    if rng.random() < 0.7:
        yield f"From that day on, {hero.name} and the {friend} knew that it is good to {_pick(rng, _LESSONS)}."
    yield "The end."


def _hero(rng: np.random.Generator) -> Hero:
    if rng.random() < 0.5:
        return Hero(_pick(rng, _GIRLS), "little girl", "she", "her")
    return Hero(_pick(rng, _BOYS), "little boy", "he", "his")


def _reaction(hero: Hero, feeling: str) -> str:
    return f"{hero.subject.capitalize()} {_FEELINGS[feeling]}."


def _pick(rng: np.random.Generator, words: tuple[str, ...]) -> str:
    return words[int(rng.integers(len(words)))]
