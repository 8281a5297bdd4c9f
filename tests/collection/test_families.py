from __future__ import annotations

import pytest

from dessin.collection.families import find_families

WNIDS = {
    "n01443537": ("animals", "fish"),  # goldfish
    "n01514668": ("animals", "birds"),  # cock
    "n01739381": ("animals", "reptiles and amphibians"),  # vine snake
    "n01773797": ("animals", "insects and spiders"),  # garden spider
    "n01910747": ("animals", ""),  # jellyfish
    "n02007558": ("animals", "birds"),  # flamingo
    "n02066245": ("animals", "other mammals"),  # grey whale
    "n02085620": ("animals", "dogs"),  # Chihuahua
    "n02113978": ("animals", "dogs"),  # Mexican hairless
    "n02114367": ("animals", "other mammals"),  # timber wolf
    "n02281406": ("animals", "insects and spiders"),  # sulphur butterfly
    "n02504458": ("animals", "other mammals"),  # African elephant
    "n02655020": ("animals", "fish"),  # puffer
    "n02666196": ("artifacts", ""),  # abacus
    "n04613696": ("artifacts", ""),  # yurt
    "n06785654": ("other", ""),  # crossword puzzle
    "n07753592": ("food", ""),  # banana
    "n09472597": ("nature and places", ""),  # volcano
    "n10565667": ("people", ""),  # scuba diver
    "n11939491": ("plants and fungi", ""),  # daisy
    "n13054560": ("plants and fungi", ""),  # bolete
}


@pytest.mark.parametrize("wnid", WNIDS)
def test_a_wnid_is_in_its_family_and_branch(wnid):
    family, branch = WNIDS[wnid]
    found = find_families([wnid])
    assert found is not None
    assert found.by == "wnid"
    assert [(f.name, f.parent) for f in found.families] == [(family, "")] + (
        [(branch, family)] if branch else []
    )


def test_families_are_counted_and_ordered_by_size():
    found = find_families(WNIDS)
    assert found is not None
    assert (found.known, found.classes) == (21, 21)
    whole = [family for family in found.families if not family.parent]
    assert sum(len(family.labels) for family in whole) == 21
    assert (whole[0].name, len(whole[0].labels)) == ("animals", 13)
    assert [len(f.labels) for f in whole] == sorted((len(f.labels) for f in whole), reverse=True)
    dogs = next(family for family in found.families if family.name == "dogs")
    assert dogs.labels == ("n02085620", "n02113978")
    assert dogs.parent == "animals"


def test_names_are_matched_in_any_spelling():
    found = find_families(["Cat", "teddy_thing", "sea_turtle", "dog", "umbrella", "pizza", "car_(sedan)"])
    assert found is not None
    assert found.by == "name"
    members = {family.name: family.labels for family in found.families}
    assert members["animals"] == ("Cat", "dog", "sea_turtle")
    assert members["dogs"] == ("dog",)
    assert members["artifacts"] == ("car_(sedan)", "umbrella")
    assert members["food"] == ("pizza",)
    assert (found.known, found.classes) == (6, 7)


@pytest.mark.parametrize("labels", [[], ["class 1", "class 2", "cat"]])
def test_labels_that_are_not_wordnets_have_no_families(labels):
    assert find_families(labels) is None


def test_the_order_of_the_labels_does_not_matter():
    assert find_families(reversed(list(WNIDS))) == find_families(WNIDS)
