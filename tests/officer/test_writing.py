"""A folder to write rules in: what is there is never lost, what does not pass is never put in place."""

import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from broker.officer import writing
from broker.officer.checking import check
from broker.officer.rulebook import AGENCIES, FILES, RULES, VOCABULARY, load_rulebook, parse_texts, read_texts
from policy import PolicyError, parse_ruleset
from tests.policy.worlds import AGREEMENTS
from tests.policy.worlds import VOCABULARY as SMALL


@pytest.fixture
def folder(tmp_path):
    writing.start_folder(tmp_path / "rules", writing.packaged_rules())
    return tmp_path / "rules"


def edited(folder, was, now, name=RULES):
    draft = writing.begin(folder, name)
    text = draft.text
    assert was in text
    draft.copy.write_text(text.replace(was, now), encoding="utf-8")
    return draft


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_new_folder_has_the_three_files_of_its_source_and_passes(folder):
    assert read_texts(folder) == read_texts(writing.packaged_rules())
    assert check(load_rulebook(folder)).passed


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_there_is_never_overwritten(tmp_path, name):
    (tmp_path / name).write_text("mine", encoding="utf-8")
    with pytest.raises(PolicyError, match=f"has {name} already; nothing was written"):
        writing.start_folder(tmp_path, writing.packaged_rules())
    assert names(tmp_path) == [name]
    assert (tmp_path / name).read_text(encoding="utf-8") == "mine"


def test_a_folder_is_not_started_from_rules_that_cannot_be_read(folder, tmp_path):
    (folder / RULES).write_text("policy: x\n", encoding="utf-8")
    with pytest.raises(PolicyError, match="has no 'version:'"):
        writing.start_folder(tmp_path / "other", folder)
    assert not (tmp_path / "other").exists()


def uncommented(lines, start):
    """What an officer does: takes the first `# ` of each line away, until the next empty one."""
    end = next((number for number in range(start, len(lines)) if not lines[number].strip()), len(lines))
    lines[start:end] = [line.removeprefix("# ") for line in lines[start:end]]


@pytest.mark.parametrize("effect", ["share", "always", "never", "require"])
def test_a_template_changes_nothing_until_its_remarks_are_taken_away_and_then_is_a_rule(folder, effect):
    before = load_rulebook(folder)
    added = writing.add_template(folder, effect)
    assert load_rulebook(folder).ruleset.cases == tuple(
        case if case.line < added.line else type(case)(**{**fields(case), "line": case.line + shifted(folder, case)})
        for case in before.ruleset.cases
    )
    lines = (folder / RULES).read_text(encoding="utf-8").splitlines()
    uncommented(lines, added.line - 1)
    uncommented(lines, added.case_line - 1)
    (folder / RULES).write_text("\n".join(lines) + "\n", encoding="utf-8")
    after = load_rulebook(folder)
    rule = next(rule for rule in after.ruleset.rules if rule.id == added.rule)
    assert (added.rule, rule.effect) == ("R20", effect)
    assert len(after.ruleset.rules) == len(before.ruleset.rules) + 1
    # Whoever forgets to fill the case in is told so.
    assert [fault.code for fault in check(after).faults if "R20 reaches" in fault.message] in (
        ["case-waits"], ["case-fails"],
    )  # fmt: skip


def fields(case):
    return {name: getattr(case, name) for name in type(case).__dataclass_fields__}


def shifted(folder, case):
    after = next(one for one in load_rulebook(folder).ruleset.cases if one.name == case.name)
    return after.line - case.line


@pytest.mark.parametrize("tests", ["", "tests:\n- {test: one, bulletin: {topic: a}, reaches exactly: []}\n"])
def test_templates_fit_any_vocabulary_and_any_order_of_sections(tmp_path, tests):
    rule = "- {rule: R1 x, effect: share, when: anything, to: everyone, because: x}\n"
    rules = f"policy: p\nversion: 1\n{AGREEMENTS}rules:\n{rule}"
    (tmp_path / VOCABULARY).write_text(SMALL, encoding="utf-8")
    (tmp_path / AGENCIES).write_text("g1: {kind: city}\n", encoding="utf-8")
    (tmp_path / RULES).write_text(rules + tests, encoding="utf-8")
    for effect in ("never", "always", "share", "require"):
        writing.add_template(tmp_path, effect)
    load_rulebook(tmp_path)
    text = re.sub(r"^# ", "", (tmp_path / RULES).read_text(encoding="utf-8"), flags=re.MULTILINE)
    ruleset = parse_ruleset(text, load_rulebook(tmp_path).vocabulary, source=RULES)
    assert {(rule.id, rule.effect) for rule in ruleset.rules} == {
        ("R1", "share"), ("R02", "never"), ("R03", "always"), ("R04", "share"), ("R05", "require"),
    }  # fmt: skip
    assert len(ruleset.cases) == 4 + bool(tests)


def test_a_change_that_passes_takes_the_place_of_the_file_and_is_told_in_sentences(folder):
    (folder / RULES).chmod(0o640)
    draft = edited(folder, "acknowledge within: 30 minutes", "acknowledge within: 4 hours")
    reviewed = writing.review(draft)
    assert reviewed.check.passed
    assert [change.about for change in reviewed.changes] == ["R09"]
    assert "within 4 hours" in reviewed.changes[0].after.text
    writing.finish(draft, reviewed)
    assert names(folder) == sorted(FILES)
    assert "acknowledge within: 4 hours" in (folder / RULES).read_text(encoding="utf-8")
    assert stat.S_IMODE((folder / RULES).stat().st_mode) == 0o640


def test_a_change_that_cannot_be_read_leaves_the_file_as_it_was(folder):
    draft = edited(folder, "TLP: at most AMBER+STRICT", "TLP: at most AMBRE")
    with pytest.raises(PolicyError, match="did you mean AMBER"):
        writing.review(draft)
    writing.discard(draft)
    assert names(folder) == sorted(FILES)
    assert read_texts(folder) == read_texts(writing.packaged_rules())


def test_what_was_written_after_the_look_at_it_is_not_put_in_place(folder):
    draft = edited(folder, "acknowledge within: 30 minutes", "acknowledge within: 4 hours")
    reviewed = writing.review(draft)
    draft.copy.write_text("version: evil\n", encoding="utf-8")
    writing.finish(draft, reviewed)
    assert (folder / RULES).read_text(encoding="utf-8") == reviewed.text


def test_a_change_of_somebody_else_is_not_overwritten(folder):
    draft = edited(folder, "acknowledge within: 30 minutes", "acknowledge within: 4 hours")
    reviewed = writing.review(draft)
    other = (folder / RULES).read_text(encoding="utf-8") + "# theirs\n"
    (folder / RULES).write_text(other, encoding="utf-8")
    with pytest.raises(PolicyError, match="changed by somebody else meanwhile") as refused:
        writing.finish(draft, reviewed)
    assert refused.value.code == "changed-meanwhile"
    assert (folder / RULES).read_text(encoding="utf-8") == other
    assert draft.text == reviewed.text


def test_the_cases_run_on_a_change_of_the_directory_too(folder):
    """An agency that is suspended in the directory breaks the cases that show it getting something."""
    draft = edited(folder, "springfield-pd:\n  kind: city police\n  state: IL\n  status: active",
                   "springfield-pd:\n  kind: city police\n  state: IL\n  status: suspended", AGENCIES)  # fmt: skip
    reviewed = writing.review(draft)
    assert not reviewed.check.passed
    assert {fault.code for fault in reviewed.check.faults} == {"case-fails"}
    assert reviewed.changes == ()


def test_rules_that_could_not_be_read_can_be_mended(folder):
    good = (folder / RULES).read_text(encoding="utf-8")
    (folder / RULES).write_text("nonsense", encoding="utf-8")
    draft = writing.begin(folder, RULES)
    draft.copy.write_text(good, encoding="utf-8")
    reviewed = writing.review(draft)
    assert reviewed.check.passed
    assert {change.before for change in reviewed.changes} == {None}
    writing.finish(draft, reviewed)
    assert (folder / RULES).read_text(encoding="utf-8") == good


def test_a_copy_that_is_not_text_is_refused_with_its_line(folder):
    draft = writing.begin(folder, RULES)
    draft.copy.write_bytes(b"policy: x\nversion: \xff\n")
    with pytest.raises(PolicyError) as refused:
        writing.review(draft)
    assert (refused.value.code, refused.value.line) == ("not-utf8", 2)


def test_a_kept_copy_is_gone_on_with(folder):
    kept = edited(folder, "acknowledge within: 30 minutes", "acknowledge within: 4 hours").copy
    draft = writing.begin(folder, RULES, kept=kept)
    assert draft.copy == kept
    assert writing.review(draft).check.passed
    assert not writing.discard_unchanged(draft)


def test_an_unchanged_copy_is_thrown_away(folder):
    draft = writing.begin(folder, RULES)
    assert writing.discard_unchanged(draft)
    assert names(folder) == sorted(FILES)


def with_rules(folder, change):
    texts = read_texts(folder)
    return parse_texts(texts.with_file(RULES, change(texts.rules)))


UNSEEN = """- rule: R20 nobody has looked at this
  effect: share
  when: {product: SETA}
  to:
  - kind: tribal police
  because: none
"""


@pytest.mark.parametrize("effect", ["share", "always", "never"])
def test_a_rule_that_no_case_touches_is_refused(folder, effect):
    rule = UNSEEN.replace("effect: share", f"effect: {effect}")
    found = check(with_rules(folder, lambda text: text.replace("\nagreements:", f"{rule}\nagreements:")))
    untouched = [fault for fault in found.faults if fault.code == "untouched-rule"]
    assert [(fault.rule, fault.file) for fault in untouched] == [("R20", RULES)]
    assert str(untouched[0]).startswith(f"rules.yaml:{untouched[0].line}: no case touches rule R20")


def test_a_rule_that_only_obliges_needs_no_case(folder):
    rule = UNSEEN.replace("effect: share", "effect: require\n  with: {onward: nobody}")
    found = check(with_rules(folder, lambda text: text.replace("\nagreements:", f"{rule}\nagreements:")))
    assert "untouched-rule" not in {fault.code for fault in found.faults}


def test_a_case_about_an_agency_that_is_missing_is_refused_with_the_one_that_was_meant(folder):
    rulebook = with_rules(
        folder, lambda text: text.replace("reaches exactly: [cook-sheriff]", "reaches exactly: [cook-sherif]")
    )
    fault = next(fault for fault in check(rulebook).faults if fault.code == "case-fails")
    assert "cook-sherif is not in the directory" in fault.message
    assert "did you mean cook-sheriff?" in fault.message


def test_while_an_exchange_grows_a_case_that_waits_is_no_fault_and_one_that_fails_is(folder):
    texts = read_texts(folder)
    without = texts.with_file(AGENCIES, re.sub(r"(?ms)^cook-sheriff:\n.*?\n\n", "", texts.agencies))
    waiting = parse_texts(without)
    assert [fault.code for fault in check(waiting).faults if fault.code != "untouched-rule"] == ["case-waits"]
    assert check(waiting, growing=True).faults == ()
    failing = parse_texts(without.with_file(AGENCIES, without.agencies.replace("status: suspended", "status: active")))
    assert "case-fails" in {fault.code for fault in check(failing, growing=True).faults}


def test_the_packaged_rules_are_where_the_software_is():
    assert sorted(path.name for path in writing.packaged_rules().iterdir()) == sorted(FILES)
    assert Path(writing.__file__).parents[2] in writing.packaged_rules().parents


@pytest.mark.parametrize("never", ["R04", "R15"])
def test_an_always_rule_that_a_never_rule_can_block_unsaid_is_refused_with_an_example(folder, never):
    pytest.importorskip("z3")
    found = check(with_rules(folder, lambda text: re.sub(rf", {never}\b", "", text, count=1)))
    assert found.proofs == "made"
    fault = next(fault for fault in found.faults if fault.code == "blocks-always")
    assert fault.rule == "R02"
    assert never in fault.message
    assert "for example a bulletin with " in str(fault)


WITHOUT_SOLVER = """
import sys
sys.modules["z3"] = None
sys.argv = ["tearline", "rules", "check", sys.argv[1]]
from broker.cli import main
main()
"""


def test_without_the_solver_the_rest_is_checked_and_the_officer_is_told_what_to_install(folder):
    done = subprocess.run([sys.executable, "-c", WITHOUT_SOLVER, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "the proofs were not made" in done.stderr
    assert "pip install 'tearline[officer]'" in done.stderr
    assert "19 of 19 cases hold" in done.stderr
