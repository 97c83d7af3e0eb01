"""An independent, slow and obvious evaluator of the sharing rules. It shares no code with the product.

Written from DESIGN section 9 alone: read the YAML with PyYAML's own loader, go through rule after rule and line after
line, for one agency at a time.
"""

from datetime import UTC, datetime, timedelta

import yaml

NO, UNKNOWN, YES = 0, 1, 2

STATES = {
    "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "DC", "FL", "GA", "HI", "ID", "IL", "IN", "IA", "KS", "KY", "LA",
    "ME", "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ", "NM", "NY", "NC", "ND", "OH", "OK", "OR",
    "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VT", "VA", "WA", "WV", "WI", "WY", "AS", "GU", "MP", "PR", "VI",
}  # fmt: skip


class Oracle:
    def __init__(self, vocabulary, rules, agencies, at):
        self.vocabulary = yaml.load(vocabulary, Loader=yaml.BaseLoader)
        self.file = yaml.load(rules, Loader=yaml.BaseLoader)
        self.agencies = agencies
        self.at = at

    # --- one agency, one portion

    def judge(self, portion, agency):
        """(shared, granting ids, always ids, blocking ids, obligations)"""
        granting, always, blocking, duties = [], [], [], []
        for rule in self.file["rules"]:
            rule_id = rule["rule"].split(" ")[0]
            truth = self.rule_truth(rule, portion, agency)
            effect = rule["effect"]
            if effect == "never" and truth != NO:
                blocking.append(rule_id)
            if effect in ("share", "always") and truth == YES:
                granting.append(rule_id)
                duties.append(rule.get("with", {}))
                if effect == "always":
                    always.append(rule_id)
            if effect == "require" and truth != NO:
                duties.append(rule["with"])
        shared = len(granting) > 0 and len(blocking) == 0
        return shared, sorted(granting), sorted(always), sorted(blocking), self.join(duties)

    def rule_truth(self, rule, portion, agency):
        truth = YES
        if rule["when"] != "anything":
            for name, wanted in rule["when"].items():
                truth = min(truth, self.portion_line(name, wanted, portion))
        if rule["to"] != "everyone":
            best = NO
            for item in rule["to"]:
                item_truth = YES
                for name, wanted in item.items():
                    item_truth = min(item_truth, self.agency_line(name, wanted, portion, agency))
                best = max(best, item_truth)
            truth = min(truth, best)
        return truth

    # --- lines

    def portion_line(self, name, wanted, portion):
        return self.has_value(self.vocabulary["bulletin"][name], wanted, portion.get(name))

    def agency_line(self, name, wanted, portion, agency):
        if name in self.vocabulary["agency"]:
            return self.has_value(self.vocabulary["agency"][name], wanted, self.agencies[agency].get(name))
        yes = self.related(self.vocabulary["relation"][name], portion, agency)
        if wanted == "yes":
            return yes
        return {YES: NO, NO: YES, UNKNOWN: UNKNOWN}[yes]

    def has_value(self, declared, wanted, value):
        if value is None:
            return UNKNOWN
        if "set of" in declared:
            held = [value] if isinstance(value, str) else list(value)
            wanted = [wanted] if isinstance(wanted, str) else wanted
            truth = NO
            for one in held:
                if one not in declared["set of"]:
                    truth = max(truth, UNKNOWN)
                elif one in wanted:
                    truth = max(truth, self.in_force(one) if declared.get("dated") == "true" else YES)
            return truth
        values = STATES if "state" in declared else declared.get("one of") or declared.get("ordered")
        if not isinstance(value, str) or value not in values:
            return UNKNOWN
        if isinstance(wanted, str) and wanted.startswith("at most "):
            return YES if values.index(value) <= values.index(wanted[8:]) else NO
        if isinstance(wanted, str) and wanted.startswith("at least "):
            return YES if values.index(value) >= values.index(wanted[9:]) else NO
        return YES if value in ([wanted] if isinstance(wanted, str) else wanted) else NO

    def related(self, relation, portion, agency):
        key, index = relation["key"], relation["index"]
        sought = portion.get(key)
        if sought is None:
            return UNKNOWN
        sought = [sought] if isinstance(sought, str) else list(sought)
        if len(sought) == 0:
            return NO
        listed = agency if index == "id" else self.agencies[agency].get(index)
        if listed is None:
            return UNKNOWN
        listed = [listed] if isinstance(listed, str) else list(listed)
        truth = NO
        for one in sought:
            if not self.means_something(key, one):
                truth = max(truth, UNKNOWN)
            elif one in listed:
                truth = YES
        for one in listed:
            if not self.means_something(key, one):
                truth = max(truth, UNKNOWN)
        return truth

    def means_something(self, key, word):
        if key in self.vocabulary["bulletin"]:
            declared = self.vocabulary["bulletin"][key]
            return word in (
                STATES
                if "state" in declared
                else declared.get("one of") or declared.get("ordered") or declared.get("set of")
            )
        if key == "area" and "area" in self.vocabulary:
            return word in self.vocabulary["area"]
        return word != ""

    # --- agreements

    def in_force(self, name):
        if self.at is None:
            return UNKNOWN
        dates = self.file["agreements"][name]
        start = datetime.strptime(dates["from"], "%Y-%m-%d").replace(tzinfo=UTC)
        end = datetime.strptime(dates["until"], "%Y-%m-%d").replace(tzinfo=UTC) + timedelta(days=1)
        five = timedelta(minutes=5)
        if start + five <= self.at < end - five:
            return YES
        if self.at < start - five or self.at >= end + five:
            return NO
        return UNKNOWN

    # --- obligations

    def join(self, duties):
        joined = {}
        for with_lines in duties:
            for name, written in with_lines.items():
                how = self.vocabulary["obligation"][name]
                if "least" in how:
                    seconds = self.seconds(written)
                    joined[name] = min(seconds, joined.get(name, seconds))
                elif "union" in how:
                    words = {written} if isinstance(written, str) else set(written)
                    joined[name] = joined.get(name, set()) | words
                else:
                    ranks = how.get("highest of") or how.get("strictest of")
                    joined[name] = max(written, joined.get(name, written), key=ranks.index)
        return {name: tuple(sorted(value)) if isinstance(value, set) else value for name, value in joined.items()}

    @staticmethod
    def seconds(written):
        number, unit = written.split(" ")
        unit = unit.removesuffix("s")
        return (
            int(number)
            * {
                "second": 1,
                "minute": 60,
                "hour": 60 * 60,
                "day": 24 * 60 * 60,
                "week": 7 * 24 * 60 * 60,
                "year": 365 * 24 * 60 * 60,
            }[unit]
        )
