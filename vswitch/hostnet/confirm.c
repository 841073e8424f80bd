/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "confirm.h"
#include "probe.h"
#include "vswitch/base/log.h"
#include "vswitch/base/names.h"
#include "vswitch/daemon/daemon.h"
#include "wait.h"

#define ASK_MS 2000 /* before the change: the kernel asks twice in this time */

struct waiter {
	void (*done)(void *arg, const struct confirm_result *result, const struct err *err);
	void *arg;
};

struct job { /* one start */
	TAILQ_ENTRY(job) link;
	struct confirm *confirm;
	char bridge[IFNAMSIZ], netdev[IFNAMSIZ];
	struct confirm_request request; /* the first one; unused if a daemon before this one has begun it */
	bool applied; /* confirming, not asking */
	unsigned seconds; /* for that */
	bool already;
	enum confirm_how how;
	long interrupted_us;
	char silent[RECORD_GATEWAYS];
	char note[sizeof(((struct takeover *)0)->note)];
	struct probe *probe;
	struct waiter *waiters; /* all hear the same */
	unsigned n;
};

struct pending { /* a start whose netdev does not exist yet */
	TAILQ_ENTRY(pending) link;
	struct confirm *confirm;
	struct confirm_request request;
	struct wait *wait;
};

struct confirm {
	const struct daemon *daemon;
	const struct takeover_env *env;
	TAILQ_HEAD(job_list, job) jobs;
	TAILQ_HEAD(pending_list, pending) pending;
};

static const char *const how_names[] = {
	[CONFIRM_ALREADY] = "already",         [CONFIRM_OFF] = "off",
	[CONFIRM_NO_GATEWAY] = "no gateway",   [CONFIRM_NO_ANSWER] = "no answer before",
	[CONFIRM_BY_GATEWAYS] = "by gateways", [CONFIRM_BY_HAND] = "by hand",
};
_Static_assert(sizeof(how_names) / sizeof(*how_names) == CONFIRM_HOW_MAX, "every way of confirming has a name");

const char *confirm_how_name(enum confirm_how how)
{
	return (unsigned)how < CONFIRM_HOW_MAX ? how_names[how] : "?";
}

/* ---- jobs -------------------------------------------------------------------------------------------------------- */

static struct job *find(const struct confirm *confirm, const char *bridge)
{
	struct job *job;

	TAILQ_FOREACH(job, &confirm->jobs, link)
	if (!strcmp(job->bridge, bridge))
		break;
	return job;
}

static bool join(struct job *job, const struct confirm_request *request)
{
	struct waiter *waiters = reallocarray(job->waiters, job->n + 1, sizeof(*waiters));
	if (!waiters)
		return false;
	job->waiters = waiters;
	job->waiters[job->n++] = (struct waiter){request->done, request->arg};
	return true;
}

/* `request` NULL: a daemon before this one has begun it. */
static struct job *job_new(struct confirm *confirm, const struct record *rec, const struct confirm_request *request)
{
	struct job *job = calloc(1, sizeof(*job));
	if (!job || (request && !join(job, request))) {
		free(job);
		return NULL;
	}
	job->confirm = confirm;
	if (request)
		job->request = *request;
	name_copy(job->bridge, sizeof(job->bridge), rec->bridge);
	name_copy(job->netdev, sizeof(job->netdev), rec->netdev);
	TAILQ_INSERT_TAIL(&confirm->jobs, job, link);
	return job;
}

/* Tell all and free: `rec` is the job's record; NULL: it failed. */
static void finish(struct job *job, const struct record *rec, const struct err *err)
{
	const struct confirm_result result = {
		.rec = rec,
		.how = job->how,
		.already = job->already,
		.interrupted_us = job->interrupted_us,
		.silent = job->silent,
		.note = job->note,
	};

	TAILQ_REMOVE(&job->confirm->jobs, job, link);
	if (!rec && !job->n)
		log_error("%s", err->text);
	for (unsigned i = 0; i < job->n; i++)
		job->waiters[i].done(job->waiters[i].arg, rec ? &result : NULL, err);
	probe_free(job->probe);
	free(job->waiters);
	free(job);
}

/* ---- starting ---------------------------------------------------------------------------------------------------- */

static void confirm_applied(struct job *job, struct record *rec);

/* Check the request against what exists now. What a crash has left half done is undone first. */
static int open_fresh(struct confirm *confirm, const struct takeover_want *want, struct takeover *t, struct err *err)
{
	if (confirm->daemon->stopping) /* scripts that end may take a while */
		return err_set(err, -ECANCELED, "xbard is stopping");
	records_refresh(confirm->env->records);
	int r = takeover_open(t, confirm->env, want, err);
	if (r || !t->unfinished)
		return r;
	log_warn("an earlier start of bridge %s did not complete: undoing it first", t->rec->bridge);
	r = takeover_stop(t, err);
	takeover_fini(t);
	return r ? r : takeover_open(t, confirm->env, want, err);
}

/* Apply the plan; then confirm it, if there are gateways that can. Nothing of *t may be used afterwards. */
static void apply(struct job *job, struct takeover *t, enum confirm_how how)
{
	struct record *rec = t->rec;
	struct err err;

	if (takeover_start(t, job->request.until, &err)) {
		struct err why = err;
		err_set(&err, -EIO, "bridge %s was not started: %.450s", job->bridge, why.text);
		finish(job, NULL, &err);
		return;
	}
	if (!t->again)
		log_info("bridge %s has taken over %s%s%s in %.1f ms", rec->bridge, rec->netdev,
			 *rec->uplink ? ", now its uplink " : "", rec->uplink, t->moved_us / 1000.0);
	if (*job->silent)
		log_warn("bridge %s: not waiting for gateway %s, which did not answer before the start either",
			 rec->bridge, job->silent);
	if (*t->note)
		log_warn("bridge %s: %s", rec->bridge, t->note);
	name_copy(job->note, sizeof(job->note), t->note);
	job->how = how;
	job->already = t->again;
	job->interrupted_us = t->again ? 0 : t->moved_us;
	if (!rec->done || !rec->confirm) {
		finish(job, rec, NULL);
		return;
	}
	takeover_fini(t); /* undoing frees the record */
	confirm_applied(job, rec);
}

/* The pre-change probe is complete. The netdev's configuration may have changed meanwhile: read it again. */
static void on_asked(struct probe *probe, void *arg)
{
	struct job *job = arg;
	struct takeover t;
	struct err err;

	int r = open_fresh(job->confirm, &job->request.want, &t, &err);
	if (!r && (strcmp(t.rec->netdev, job->netdev) || strcmp(t.rec->bridge, job->bridge))) {
		r = err_set(&err, -EAGAIN, "the default route has moved from %s to %s meanwhile: say netdev=NAME",
			    job->netdev, t.rec->netdev);
		takeover_fini(&t);
	}
	if (r) {
		finish(job, NULL, &err);
		return;
	}
	if (!t.again) {
		probe_list(probe, true, t.rec->gateways);
		t.rec->confirm = *t.rec->gateways ? job->request.seconds : 0;
	}
	probe_list(probe, false, job->silent);
	apply(job, &t, t.again ? CONFIRM_ALREADY : CONFIRM_NO_ANSWER);
	takeover_fini(&t);
}

/* Begin a job for *t: ask the gateways, or apply it at once if there is nobody to ask. */
static void begin(struct job *job, struct takeover *t)
{
	char gateways[RECORD_GATEWAYS];
	struct err err;

	rtnl_snap_gateways(t->rec->snap, gateways, sizeof(gateways));
	if (t->again)
		apply(job, t, CONFIRM_ALREADY);
	else if (!job->request.seconds)
		apply(job, t, CONFIRM_OFF);
	else if (!*t->rec->uplink || !*gateways)
		apply(job, t, CONFIRM_NO_GATEWAY);
	else if (probe_start(job->confirm->daemon->base, job->confirm->env->rtnl, t->rec->netdev, gateways, ASK_MS,
			     on_asked, job, &job->probe, &err))
		finish(job, NULL, &err);
}

/* 0: the request's done() was called, or will be. Else it is still the caller's. */
static int start(struct confirm *confirm, const struct confirm_request *request, struct err *err)
{
	struct takeover t;

	int r = open_fresh(confirm, &request->want, &t, err);
	if (r)
		return r;
	struct job *job = find(confirm, t.rec->bridge);
	if (job && strcmp(job->netdev, t.rec->netdev)) {
		r = err_set(err, -EBUSY,
			    "bridge %s is being started with netdev %s; say `xbar net stop bridge=%s` first",
			    job->bridge, job->netdev, job->bridge);
	} else if (job) {
		r = join(job, request) ? 0 : err_nomem(err);
	} else {
		job = job_new(confirm, t.rec, request);
		r = job ? 0 : err_nomem(err);
		if (job)
			begin(job, &t);
	}
	takeover_fini(&t);
	return r;
}

static void pending_free(struct pending *pending)
{
	TAILQ_REMOVE(&pending->confirm->pending, pending, link);
	wait_free(pending->wait);
	free(pending);
}

static void on_netdev(struct wait *wait, bool last, void *arg)
{
	struct pending *pending = arg;
	const struct confirm_request *request = &pending->request;
	struct err err, why;

	(void)wait;
	int r = start(pending->confirm, request, &why);
	if (r == -ENODEV && !last)
		return;
	if (r == -ENODEV)
		err_set(&err, r, "%.450s (waited %u s)", why.text, request->wait_s);
	if (r)
		request->done(request->arg, NULL, r == -ENODEV ? &err : &why);
	pending_free(pending);
}

/* As start(); a netdev that does not exist is waited for. */
static int start_later(struct confirm *confirm, const struct confirm_request *request, struct err *err)
{
	struct pending *pending = calloc(1, sizeof(*pending));
	if (!pending)
		return err_nomem(err);
	pending->confirm = confirm;
	pending->request = *request;
	TAILQ_INSERT_TAIL(&confirm->pending, pending, link);
	int r = wait_start(confirm->daemon->base, request->wait_s, on_netdev, pending, &pending->wait, err);
	if (!r)
		r = start(confirm, request, err);
	if (r == -ENODEV && pending->wait)
		return 0;
	pending_free(pending);
	return r;
}

void confirm_start(struct confirm *confirm, const struct confirm_request *request)
{
	struct err err;

	int r = request->wait_s ? start_later(confirm, request, &err) : start(confirm, request, &err);
	if (r)
		request->done(request->arg, NULL, &err);
}

/* ---- confirming -------------------------------------------------------------------------------------------------- */

/* Note in the record that its bridge stays. */
static int note_confirmed(struct job *job, struct record **rec, struct err *err)
{
	struct records *records = job->confirm->env->records;

	records_refresh(records);
	int r = record_get(records, job->bridge, rec, err);
	if (r == -ENOENT)
		return err_set(err, r, "the record of bridge %s is gone: somebody has removed %s/%s.json", job->bridge,
			       records->dir, job->bridge);
	if (r)
		return r;
	unsigned seconds = (*rec)->confirm;
	(*rec)->confirm = 0;
	r = record_save(records, *rec, err);
	if (r)
		(*rec)->confirm = seconds;
	return r;
}

static int confirmed(struct job *job, enum confirm_how how, struct err *err)
{
	struct record *rec;

	int r = note_confirmed(job, &rec, err);
	if (!r) {
		log_info("bridge %s: the start is confirmed %s", job->bridge, confirm_how_name(how));
		job->how = how;
	}
	finish(job, r ? NULL : rec, err);
	return r;
}

/* The gateways `missing` have not answered in time. */
static void undo(struct job *job, const char *missing)
{
	struct err err, why;

	int r = takeover_give_back(job->confirm->env, job->bridge, &why);
	if (r == -ENOENT)
		err_set(&why, r, "its record is gone");
	int used = snprintf(err.text, sizeof(err.text),
			    "gateway%s %.150s answered before, but not within %u s through bridge %s",
			    strchr(missing, ' ') ? "s" : "", missing, job->seconds, job->bridge);
	if (r)
		snprintf(err.text + used, sizeof(err.text) - used, "; giving back %s failed: %.250s", job->netdev,
			 why.text);
	else
		snprintf(err.text + used, sizeof(err.text) - used,
			 ", so everything is back as it was; check what is at the other end of %s (port security?), or "
			 "say confirm=SECONDS to wait longer, confirm=0 to start without asking gateways",
			 job->netdev);
	finish(job, NULL, &err);
}

static void on_confirm(struct probe *probe, void *arg)
{
	struct job *job = arg;
	char missing[RECORD_GATEWAYS];
	struct err err;

	records_refresh(job->confirm->env->records);
	probe_list(probe, false, missing);
	if (!*missing)
		confirmed(job, CONFIRM_BY_GATEWAYS, &err);
	else
		undo(job, missing);
}

/* Everything is done: wait for rec->gateways to answer. */
static void confirm_applied(struct job *job, struct record *rec)
{
	char gateways[RECORD_GATEWAYS];
	struct err err;

	probe_free(job->probe);
	job->probe = NULL;
	job->applied = true;
	job->seconds = rec->confirm;
	if (!probe_start(job->confirm->daemon->base, job->confirm->env->rtnl, rec->bridge, rec->gateways,
			 rec->confirm * 1000, on_confirm, job, &job->probe, &err))
		return;
	log_error("%s", err.text);
	name_copy(gateways, sizeof(gateways), rec->gateways);
	undo(job, gateways);
}

void confirm_resume(struct confirm *confirm)
{
	struct record *rec, *next;

	for (rec = TAILQ_FIRST(&confirm->env->records->list); rec; rec = next) {
		next = TAILQ_NEXT(rec, link); /* one that cannot be asked is given back at once */
		if (rec->damaged || !rec->done || !rec->confirm || find(confirm, rec->bridge))
			continue;
		log_warn("bridge %s was started and not confirmed: it stays if %s answers within %u s", rec->bridge,
			 rec->gateways, rec->confirm);
		struct job *job = job_new(confirm, rec, NULL);
		if (!job)
			continue;
		job->already = true;
		confirm_applied(job, rec);
	}
}

/* ---- the others -------------------------------------------------------------------------------------------------- */

int confirm_accept(struct confirm *confirm, const char *bridge, struct err *err)
{
	struct job *job, *next;
	int r = -ENOENT;

	for (job = TAILQ_FIRST(&confirm->jobs); job; job = next) {
		next = TAILQ_NEXT(job, link);
		if (!job->applied || (bridge && strcmp(job->bridge, bridge)))
			continue;
		r = confirmed(job, CONFIRM_BY_HAND, err);
		if (r)
			break;
	}
	return r;
}

void confirm_cancel(struct confirm *confirm, const char *bridge, const char *netdev)
{
	struct job *job, *next;
	struct err err;

	for (job = TAILQ_FIRST(&confirm->jobs); job; job = next) {
		next = TAILQ_NEXT(job, link);
		if ((bridge && strcmp(job->bridge, bridge)) || (netdev && strcmp(job->netdev, netdev)))
			continue;
		err_set(&err, -ECANCELED, "bridge %s was stopped before its gateways had answered", job->bridge);
		finish(job, NULL, &err);
	}
}

int confirm_left(const struct confirm *confirm, const char *bridge, char missing[RECORD_GATEWAYS])
{
	const struct job *job = find(confirm, bridge);

	if (!job || !job->applied || !job->probe)
		return -1;
	probe_list(job->probe, false, missing);
	return (int)(probe_left(job->probe) + 999) / 1000;
}

struct confirm *confirm_new(const struct daemon *daemon, const struct takeover_env *env)
{
	struct confirm *confirm = calloc(1, sizeof(*confirm));
	if (!confirm)
		return NULL;
	confirm->daemon = daemon;
	confirm->env = env;
	TAILQ_INIT(&confirm->jobs);
	TAILQ_INIT(&confirm->pending);
	return confirm;
}

void confirm_end(struct confirm *confirm)
{
	const struct err stopping = {.text = "xbard is stopping"};
	struct pending *pending;
	struct job *job;
	struct err err;

	while ((pending = TAILQ_FIRST(&confirm->pending))) {
		const struct confirm_request *request = &pending->request;
		err_set(&err, -ECANCELED, "xbard is stopping; netdev %s has not appeared",
			request->want.netdev ? request->want.netdev : "of the default route");
		request->done(request->arg, NULL, &err);
		pending_free(pending);
	}
	while ((job = TAILQ_FIRST(&confirm->jobs)))
		finish(job, NULL, &stopping);
}

void confirm_free(struct confirm *confirm)
{
	if (confirm)
		confirm_end(confirm);
	free(confirm);
}
