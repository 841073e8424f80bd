/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

static const char *const kind_names[] = {
	[PLAN_KEEP] = "keep",  [PLAN_BRIDGE] = "bridge",   [PLAN_HOST_PORT] = "host-port",
	[PLAN_LINK_UP] = "up", [PLAN_RENAME] = "rename",   [PLAN_UPLINK] = "uplink",
	[PLAN_MOVE] = "move",  [PLAN_ADDRESS] = "address", [PLAN_COMMIT] = "commit",
};
_Static_assert(sizeof(kind_names) / sizeof(*kind_names) == PLAN_KIND_MAX, "every kind of step has a name");

struct step {
	enum plan_kind kind;
	plan_act *apply, *undo;
	char *text;
};

struct plan {
	void *arg;
	struct step *steps;
	unsigned n;
	bool incomplete; /* a step could not be added */
};

const char *plan_kind_name(enum plan_kind kind)
{
	return (unsigned)kind < PLAN_KIND_MAX ? kind_names[kind] : "?";
}

struct plan *plan_new(void *arg)
{
	struct plan *plan = calloc(1, sizeof(*plan));
	if (plan)
		plan->arg = arg;
	return plan;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	for (unsigned i = 0; i < plan->n; i++)
		free(plan->steps[i].text);
	free(plan->steps);
	free(plan);
}

int plan_add(struct plan *plan, enum plan_kind kind, plan_act *apply, plan_act *undo, const char *fmt, ...)
{
	va_list ap;
	struct step step = {.kind = kind, .apply = apply, .undo = undo};

	va_start(ap, fmt);
	int len = vasprintf(&step.text, fmt, ap);
	va_end(ap);
	struct step *steps = len < 0 ? NULL : reallocarray(plan->steps, plan->n + 1, sizeof(*steps));
	if (!steps) {
		if (len >= 0)
			free(step.text);
		plan->incomplete = true;
		return -ENOMEM;
	}
	plan->steps = steps;
	plan->steps[plan->n++] = step;
	return 0;
}

const char *plan_step(const struct plan *plan, unsigned i, enum plan_kind *kind)
{
	if (i >= plan->n)
		return NULL;
	*kind = plan->steps[i].kind;
	return plan->steps[i].text;
}

/* Undo the first `n` steps in reverse; the sentence of each failure is appended to *err after `lead`. */
static int undo_first(const struct plan *plan, unsigned n, const char *lead, struct err *err)
{
	int result = 0;

	for (unsigned i = n; i-- > 0;) {
		const struct step *step = &plan->steps[i];
		struct err why = {0};
		int r = step->undo ? step->undo(plan->arg, &why) : 0;
		if (!r)
			continue;
		size_t used = strlen(err->text);
		snprintf(err->text + used, sizeof(err->text) - used, "%s%s", used ? lead : "", why.text);
		if (!result)
			result = r;
	}
	return result;
}

int plan_apply(const struct plan *plan, unsigned until, struct err *err)
{
	if (plan->incomplete)
		return err_set(err, -ENOMEM, "no memory for the plan");
	if (!until || until > plan->n)
		until = plan->n;
	for (unsigned i = 0; i < until; i++) {
		const struct step *step = &plan->steps[i];
		int r = step->apply ? step->apply(plan->arg, err) : 0;
		if (r) {
			undo_first(plan, i + 1, "; and undoing it failed: ", err);
			return r;
		}
	}
	return 0;
}

int plan_undo(const struct plan *plan, struct err *err)
{
	if (plan->incomplete)
		return err_set(err, -ENOMEM, "no memory for the plan");
	err->text[0] = '\0';
	return undo_first(plan, plan->n, "; ", err);
}
