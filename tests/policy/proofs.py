"""The z3 model asked about given points: a portion, an agency and a moment become the truth of every fact.

The facts are set from plain values here, by the words of `policy.truth`, so that a fact that the model forbids although
a real portion or record has it shows as a point without a world.
"""

from dataclasses import dataclass

import z3

from policy import parse_ruleset, parse_vocabulary
from policy.comparison import Edition
from policy.proof.record import OneRecord
from policy.proof.sides import Ground
from policy.truth import members
from tests.policy.worlds import AGREEMENTS, TO, VOCABULARY, WHEN, rule_text


def edition(world_or_rules, agencies=None, vocabulary=VOCABULARY):
    rules = world_or_rules if isinstance(world_or_rules, str) else world_or_rules.rules
    known = parse_vocabulary(vocabulary, source="vocabulary")
    ruleset = parse_ruleset(rules, known, source="rules")
    return Edition(vocabulary=known, ruleset=ruleset, agencies=agencies or {})


@dataclass(frozen=True)
class Verdict:
    shared: bool
    granting: list
    blocking: list
    requiring: list


class Proof:
    """The rules of one edition as a z3 model, for any agency or for one."""

    def __init__(self, one, agency=None):
        records = None if agency is None else ((agency, one.agencies[agency]),)
        self.edition = one
        self.ground = Ground(one, records=records)
        self.record = (
            self.ground.anyone()
            if agency is None
            else OneRecord(self.ground.logic, self.ground.portion, agency, one.agencies[agency])
        )
        self.any = agency is None
        self.meaning = self.ground.meaning(one, self.record)
        # Named before the first question, so that every world says it.
        self.shared = self.meaning.shared

        self.names = {}
        self.evaluate = evaluator(self.ground.logic.required)

    def facts(self, portion, agency, at):
        facts = [*self.portion_facts(portion, agency), *self.ground.moment.facts_at(at)]
        return facts + (list(self.record_facts(agency)) if self.any else [])

    def judge(self, portion, agency, at):
        """What the model says of one point; the point must be a possible world."""
        truths = {self.name(fact): truth for fact, truth in self.facts(portion, agency, at)}
        assert self.evaluate(truths), ("no possible world", portion, agency, at)
        return self._verdict(lambda fact: fact if isinstance(fact, bool) else truths[self.name(fact)])

    def name(self, fact):
        # Asking z3 for a name takes longer than all the rest, and the facts of a ground stay what they are.
        if id(fact) not in self.names:
            self.names[id(fact)] = fact.decl().name()
        return self.names[id(fact)]

    def solve(self, portion, agency, at):
        """The same, asked of the solver."""
        logic = self.ground.logic
        facts = self.facts(portion, agency, at)
        model = logic.example(*(fact if truth else logic.negate(fact) for fact, truth in facts))
        assert model is not None, ("no world for", portion, agency, at)
        return self._verdict(model.holds)

    def _verdict(self, holds):
        rules = self.edition.ruleset.rules
        matching = {name for name, fact in self.meaning.matches.items() if holds(fact)}

        def of(*effects):
            return sorted(rule.id for rule in rules if rule.effect in effects and rule.id in matching)

        return Verdict(holds(self.shared), of("share", "always"), of("never"), of("require"))

    def index(self, name, agency):
        value = agency if name == "id" else self.edition.agencies[agency].get(name)
        return None if value is None else members(value)

    def portion_facts(self, portion, agency):
        words, symbolic = self.ground.words, self.ground.portion
        for name, attribute in symbolic.attributes.items():
            value = portion.get(name)
            held = frozenset() if value is None else members(value)
            domain = self.domain(name)
            known = held - {""} if domain is None else held & domain
            key = words.keys.get(name)
            for text, fact in attribute.text.items():
                yield fact, isinstance(value, str) and value == text
            for member, fact in attribute.member.items():
                yield fact, member in held
            shared = frozenset()
            for index in key.indexes if key is not None and key.open else ():
                listed = self.index(index, agency)
                meeting = known & listed if listed is not None else frozenset()
                shared |= meeting
                yield symbolic.shares[name, index], bool(meeting)
            if attribute.others is not False:
                yield attribute.others, bool(known - shared - attribute.member.keys())
            if attribute.more is not False:
                yield attribute.more, value is None or known != held

    def record_facts(self, agency):
        record = self.edition.agencies[agency]
        for name, attribute in self.record.attributes.items():
            value = record.get(name)
            held = frozenset() if value is None else members(value)
            known = self.edition.vocabulary.agency.get(name)
            domain = frozenset(known.values) if known is not None else self.edition.vocabulary.indexes[name]
            for text, fact in attribute.text.items():
                yield fact, isinstance(value, str) and value == text
            for member, fact in attribute.member.items():
                yield fact, member in held
            if attribute.more is not False:
                meant = held - {""} if domain is None else held & domain
                yield attribute.more, value is None or meant != held

    def domain(self, name):
        vocabulary = self.edition.vocabulary
        if name in vocabulary.bulletin:
            return frozenset(vocabulary.bulletin[name].values)
        return vocabulary.keys[name]


def evaluator(assertions):
    """The assertions as a function: it adds the truth of all named facts, and says whether the rest holds."""
    code, places, held = [], {}, []

    def place(term):
        number = term.get_id()
        if number not in places:
            kind = term.decl().kind()
            parts = [place(part) for part in term.children()]
            match kind:
                case z3.Z3_OP_UNINTERPRETED:
                    places[number] = f"v[{term.decl().name()!r}]"
                    return places[number]
                case z3.Z3_OP_AND:
                    text = " and ".join(parts)
                case z3.Z3_OP_OR:
                    text = " or ".join(parts)
                case z3.Z3_OP_NOT:
                    text = f"not {parts[0]}"
                case z3.Z3_OP_PB_AT_MOST:
                    text = f"sum(({', '.join(parts)},)) <= {term.params()[0]}"
                case z3.Z3_OP_EQ:
                    text = f"{parts[0]} == {parts[1]}"
                case _:
                    raise AssertionError(term)
            places[number] = f"t{number}"
            code.append(f"  t{number} = {text}")
        return places[number]

    for assertion in assertions:
        if assertion.decl().kind() == z3.Z3_OP_EQ and assertion.arg(0).decl().name().startswith("#"):
            code.append(f"  v[{assertion.arg(0).decl().name()!r}] = {place(assertion.arg(1))}")
        else:
            held.append(place(assertion))
    scope = {}
    body = "\n".join([*code, f"  return all(({', '.join([*held, 'True'])},))"])
    exec(f"def evaluate(v):\n{body}\n", scope)
    return scope["evaluate"]


def mutated(random, rules):
    """The rules text with one to three random edits; some change nothing, and some nothing that matters."""
    head, *blocks = rules.removesuffix(AGREEMENTS).split("- rule: ")
    blocks = [f"- rule: {block}" for block in blocks]
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        place = random.randrange(len(blocks))
        match random.choice(["shuffle", "remove", "add", "replace", "double", "value", "line", "dates"]):
            case "shuffle":
                random.shuffle(blocks)
            case "remove" if len(blocks) > 1:
                del blocks[place]
            case "add":
                blocks.insert(place, rule_text(random, f"N{random.randrange(10**9)}"))
            case "replace":
                blocks[place] = rule_text(random, blocks[place].split()[2])
            case "double":
                words = blocks[place].split(" ", 3)
                blocks.append(" ".join([*words[:2], f"D{random.randrange(10**9)}", words[3]]))
            case "value":
                blocks[place] = other_value(random, blocks[place])
            case "line":
                lines = blocks[place].splitlines(keepends=True)
                inner = [number for number, line in enumerate(lines) if line.startswith("    ")]
                if len(inner) > 1 and "  when:\n" not in (lines[inner[0] - 1], lines[inner[-1] - 1]):
                    del lines[random.choice(inner)]
                    blocks[place] = "".join(lines)
    return head + "".join(blocks) + AGREEMENTS


def other_value(random, block):
    lines = block.splitlines(keepends=True)
    for number in random.sample(range(len(lines)), len(lines)):
        name = lines[number].strip().removeprefix("- ").split(":")[0]
        if name in {**WHEN, **TO} and lines[number].startswith("  "):
            start = lines[number].split(":")[0]
            lines[number] = f"{start}: {random.choice({**WHEN, **TO}[name])}\n"
            break
    return "".join(lines)
