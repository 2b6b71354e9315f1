"""Everything a script usually says to the executor, in Python. No import is needed."""

import time

order = cronium.input() or {"items": ["tea", "cup", "spoon"]}
items = order["items"]

cronium.log("info", "order received", {"items": len(items)})
for number, item in enumerate(items, start=1):
    time.sleep(0.2)
    print(f"packing {item}")
    cronium.progress(number / len(items), f"{number} of {len(items)}")

# Variables outlive the run and belong to the user. Adding is one step, so runs side by
# side do not lose a count.
total = cronium.increment_variable("PACKED_TOTAL", by=len(items))
cronium.set_variable("LAST_ORDER", {"items": items, "by": cronium.event()["name"]})
if cronium.get_variable("NEVER_SET") is None:
    print("a variable that is not set is None, and no error")

# The output is the next event's input; the condition decides whether it is started
# (`when: on_condition`).
cronium.set_condition(len(items) > 2)
cronium.output({"packed": len(items), "total": total})
