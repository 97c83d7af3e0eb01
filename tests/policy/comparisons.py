"""A comparison written by hand, for tests of what is made of one; what the proofs find is `policy.proof`'s to test."""

from policy.comparison import AgencyChange, Comparison, DutyChange, Finding, RuleChange, Witness
from policy.say import sentence
from tests.policy.recordings import narcotics


def dropped_line(before, after):
    """R11 without the line about 28 CFR 23: what `policy.proof` says of it, written out."""
    (old, new) = (next(rule for rule in one.ruleset.rules if rule.id == "R11") for one in (before, after))
    record = after.agencies["lake-sheriff"]
    witness = Witness(portion=narcotics(originator="chicago-pd"), agency="lake-sheriff", record=record, at=None)
    return comparison(
        audience="WIDENS",
        rules=(
            RuleChange(
                rule="R11",
                title=new.title,
                effect="share",
                kind="matches more",
                before=sentence(old, before.vocabulary),
                after=sentence(new, after.vocabulary),
                regions=("category: narcotics or trafficking; TLP: at most AMBER; agency 28 CFR 23 agreement: no",),
                held_back_by=("R05", "R06"),
                granted_already_by=(),
            ),
        ),
        widening=witness,
    )


def comparison(**changes):
    values = {
        "audience": "SAME",
        "duties": "SAME",
        "rules": (),
        "duty_changes": (),
        "agencies": (),
        "widening": None,
        "narrowing": None,
    }
    return Comparison(**{**values, **changes})


def looser(witness):
    return DutyChange(
        name="acknowledge within",
        direction="LOOSENED",
        before=600,
        after=3600,
        words="acknowledge within 10 minutes becomes 1 hour",
        witness=witness,
    )


def suspension(before, after, agency):
    return AgencyChange(
        agency=agency,
        kind="changed",
        before=before.agencies[agency],
        after=after.agencies[agency],
        audience="NARROWS",
        duties="SAME",
        words=("status: active becomes suspended",),
        widening=None,
        narrowing=None,
    )


def finding(message="R02 can be blocked by R20", rule="R02"):
    return Finding(code="blocks-always", rule=rule, line=16, message=message, example=None)
