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
#include "vswitch/xbard.h"

#define ASK_MS 2000 /* before the change: two of the kernel's questions */

struct job {
	TAILQ_ENTRY(job) link;
	struct confirm *nc;
	char bridge[IFNAMSIZ], netdev[IFNAMSIZ];
	bool applied; /* confirming, not asking */
	struct probe *probe;
	struct ctl_request **reqs; /* all get the same answer; the first one's words count */
	unsigned n;
	json_t *result; /* the answer, if all goes well; NULL: nobody has asked */
};

struct confirm {
	struct xbard *xbard;
	TAILQ_HEAD(job_list, job) jobs;
};

/* ---- jobs -------------------------------------------------------------------------------------------------------- */

static struct job *find(const struct confirm *nc, const char *bridge)
{
	struct job *job;

	for (job = TAILQ_FIRST(&nc->jobs); job; job = TAILQ_NEXT(job, link))
		if (!bridge || !strcmp(job->bridge, bridge))
			return job;
	return NULL;
}

static bool join(struct job *job, struct ctl_request *req)
{
	struct ctl_request **reqs = reallocarray(job->reqs, job->n + 1, sizeof(struct ctl_request *));
	if (!reqs)
		return false;
	job->reqs = reqs;
	job->reqs[job->n++] = req;
	return true;
}

static struct job *job_new(struct confirm *nc, const struct record *rec, struct ctl_request *req)
{
	struct job *job = calloc(1, sizeof(*job));
	if (!job || (req && !join(job, req))) {
		free(job);
		return NULL;
	}
	job->nc = nc;
	memcpy(job->bridge, rec->bridge, sizeof(job->bridge));
	memcpy(job->netdev, rec->netdev, sizeof(job->netdev));
	TAILQ_INSERT_TAIL(&nc->jobs, job, link);
	return job;
}

/* Answer all and free: `error` NULL: with job->result. */
static void finish(struct job *job, const char *error)
{
	TAILQ_REMOVE(&job->nc->jobs, job, link);
	for (unsigned i = 0; i < job->n; i++) {
		if (error)
			ctl_reply_error(job->reqs[i], "%s", error);
		else
			ctl_reply_ok(job->reqs[i], json_deep_copy(job->result));
	}
	probe_free(job->probe);
	json_decref(job->result);
	free(job->reqs);
	free(job);
}

static json_t *words(const char *list)
{
	json_t *array = json_array();

	while (*list) {
		size_t len = strcspn(list, " ");
		json_array_append_new(array, json_stringn(list, len));
		list += len;
		list += strspn(list, " ");
	}
	return array;
}

/* The answer: `how` it was confirmed, the gateways it went by, and those that were not asked. */
static json_t *describe(const struct job *job, const struct takeover *t, const char *how, const char *silent)
{
	json_t *result = netctl_record(job->nc->xbard, &t->rec);

	json_object_set_new(result, "already", json_boolean(t->again));
	json_object_set_new(result, "interrupted_us", json_integer(t->again ? 0 : t->moved_us));
	json_object_set_new(result, "confirmation", json_string(how));
	json_object_set_new(result, "gateways", words(t->rec.gateways));
	json_object_set_new(result, "silent", words(silent));
	return result;
}

/* ---- confirming -------------------------------------------------------------------------------------------------- */

/* Note in the record that `bridge` stays. */
static int note_confirmed(const struct confirm *nc, const char *bridge, struct err *err)
{
	struct record rec;

	int r = record_load(nc->xbard->daemon.rundir, bridge, &rec, err);
	if (r == -ENOENT)
		return err_set(err, r, "the record of bridge %s is gone: somebody has removed %s/net/%s.json", bridge,
			       nc->xbard->daemon.rundir, bridge);
	if (r)
		return r;
	rec.confirm = 0;
	r = record_save(nc->xbard->daemon.rundir, &rec, err);
	record_fini(&rec);
	return r;
}

static int confirmed(struct job *job, const char *how, struct err *err)
{
	int r = note_confirmed(job->nc, job->bridge, err);
	if (r) {
		log_error("%s", err->text);
	} else {
		log_info("bridge %s: the start is confirmed %s", job->bridge, how);
		json_object_set_new(job->result, "confirmation", json_string(how));
		json_object_set_new(job->result, "unconfirmed", json_false());
	}
	finish(job, r ? err->text : NULL);
	return r;
}

static void undo(struct job *job, const char *missing, unsigned seconds)
{
	struct xbard *xbard = job->nc->xbard;
	struct err err, why;
	struct takeover t;

	int r = takeover_open_record(&t, xbard->model, xbard->daemon.rundir, job->bridge, NULL, &why);
	if (!r) {
		r = takeover_stop(&t, &why);
		takeover_fini(&t);
	} else if (r == -ENOENT) {
		err_set(&why, r, "its record is gone");
	}
	err_set(&err, -ETIMEDOUT, "gateway%s %.150s answered before, but not within %u s through bridge %s",
		strchr(missing, ' ') ? "s" : "", missing, seconds, job->bridge);
	size_t used = strlen(err.text);
	if (r)
		snprintf(err.text + used, sizeof(err.text) - used, "; %s was to go back, and that failed: %.250s",
			 job->netdev, why.text);
	else
		snprintf(err.text + used, sizeof(err.text) - used,
			 ", so everything is back as it was; see what is at the other end of %s (port security?), or "
			 "say confirm=SECONDS to wait longer, confirm=0 to go without gateways",
			 job->netdev);
	log_error("%s", err.text);
	finish(job, err.text);
}

static void on_confirm(struct probe *probe, void *arg)
{
	struct job *job = arg;
	char missing[NETREC_GATEWAYS];
	struct record rec;
	struct err err;

	probe_list(probe, false, missing);
	if (!*missing) {
		confirmed(job, "by gateways", &err);
		return;
	}
	unsigned seconds = NETCONFIRM_DEFAULT_S;
	if (!record_load(job->nc->xbard->daemon.rundir, job->bridge, &rec, &err)) {
		seconds = rec.confirm;
		record_fini(&rec);
	}
	undo(job, missing, seconds);
}

/* All is done, and rec->gateways are to answer. */
static void begin_confirming(struct job *job, const struct record *rec)
{
	struct err err;

	probe_free(job->probe);
	job->probe = NULL;
	job->applied = true;
	if (probe_start(job->nc->xbard->daemon.base, rec->bridge, rec->gateways, rec->confirm * 1000, on_confirm, job,
			&job->probe, &err)) {
		log_error("%s", err.text);
		undo(job, rec->gateways, 0);
	}
}

static bool resume(struct record *rec, const struct err *err, void *arg)
{
	struct confirm *nc = arg;

	if (!rec)
		log_error("%s", err->text);
	if (!rec || !rec->done || !rec->confirm || find(nc, rec->bridge))
		return true;
	log_warn("bridge %s was started and not confirmed: it stays if %s answers within %u s", rec->bridge,
		 rec->gateways, rec->confirm);
	struct job *job = job_new(nc, rec, NULL);
	if (job) {
		job->result = netctl_record(nc->xbard, rec);
		json_object_set_new(job->result, "already", json_true());
		json_object_set_new(job->result, "gateways", words(rec->gateways));
		begin_confirming(job, rec);
	}
	return true;
}

void confirm_resume(struct confirm *nc)
{
	record_each(nc->xbard->daemon.rundir, resume, nc);
}

/* ---- starting ---------------------------------------------------------------------------------------------------- */

/* What is asked for, opened; what a crash has left half done is undone first. */
static int open_fresh(struct confirm *nc, struct ctl_request *req, struct takeover *t, struct err *err)
{
	struct takeover_want want = netctl_want(req);

	if (nc->xbard->daemon.stopping) /* scripts that end may take a while */
		return err_set(err, -ECANCELED, "xbard is stopping");
	int r = takeover_open(t, nc->xbard->model, nc->xbard->daemon.rundir, &want, err);
	if (r || !t->restart)
		return r;
	log_warn("a start of bridge %s had not come to its end: it is undone first", t->rec.bridge);
	r = takeover_stop(t, err);
	takeover_fini(t);
	return r ? r : takeover_open(t, nc->xbard->model, nc->xbard->daemon.rundir, &want, err);
}

/* Do all steps, and confirm where there is something to go by, or be done. */
static void apply(struct job *job, struct takeover *t, const char *how, const char *silent)
{
	const struct record *rec = &t->rec;
	struct err err;

	if (takeover_start(t, ctl_int(job->reqs[0], "until", 0), &err)) {
		log_error("bridge %s was not started: %s", rec->bridge, err.text);
		finish(job, err.text);
		return;
	}
	if (!t->again)
		log_info("bridge %s has taken over %s%s%s in %.1f ms", rec->bridge, rec->netdev,
			 *rec->uplink ? ", now its uplink " : "", rec->uplink, t->moved_us / 1000.0);
	job->result = describe(job, t, how, silent);
	if (*silent)
		log_warn("bridge %s: no answer is expected from gateway %s, which did not answer before either",
			 rec->bridge, silent);
	if (rec->done && rec->confirm)
		begin_confirming(job, rec);
	else
		finish(job, NULL);
}

/* Who is there before the change is known now. What was read of the netdev may be old: read it again. */
static void on_asked(struct probe *probe, void *arg)
{
	struct job *job = arg;
	struct takeover t;
	struct err err;
	char silent[NETREC_GATEWAYS];

	int r = open_fresh(job->nc, job->reqs[0], &t, &err);
	if (!r && (strcmp(t.rec.netdev, job->netdev) || strcmp(t.rec.bridge, job->bridge))) {
		err_set(&err, -EAGAIN, "the default route has moved from %s to %s meanwhile: say netdev=NAME",
			job->netdev, t.rec.netdev);
		takeover_fini(&t);
		r = -EAGAIN;
	}
	if (r) {
		finish(job, err.text);
		return;
	}
	if (!t.again) {
		probe_list(probe, true, t.rec.gateways);
		t.rec.confirm = *t.rec.gateways ? ctl_int(job->reqs[0], "confirm", NETCONFIRM_DEFAULT_S) : 0;
	}
	probe_list(probe, false, silent);
	apply(job, &t, t.again ? "already" : "no answer before", silent);
	takeover_fini(&t);
}

/* Returns false where the request could not be kept. */
static bool begin(struct confirm *nc, struct ctl_request *req, struct takeover *t, struct err *err)
{
	char gateways[NETREC_GATEWAYS];
	bool wanted = ctl_int(req, "confirm", NETCONFIRM_DEFAULT_S) && !ctl_has(req, "until");

	struct job *job = job_new(nc, &t->rec, req);
	if (!job) {
		err_set(err, -ENOMEM, "no memory to start bridge %s", t->rec.bridge);
		return false;
	}
	rtnl_snap_gateways(t->rec.snap, gateways, sizeof(gateways));
	if (t->again || !wanted)
		apply(job, t, t->again ? "already" : "off", "");
	else if (!*t->rec.uplink || !*gateways)
		apply(job, t, "no gateway", "");
	else if (probe_start(nc->xbard->daemon.base, t->rec.netdev, gateways, ASK_MS, on_asked, job, &job->probe, err))
		finish(job, err->text);
	return true;
}

int confirm_start(struct confirm *nc, struct ctl_request *req, struct err *err)
{
	struct takeover t;

	int r = open_fresh(nc, req, &t, err);
	if (r == -ENODEV)
		return r;
	if (r) {
		ctl_reply_error(req, "%s", err->text);
		return 0;
	}
	struct job *job = find(nc, t.rec.bridge);
	bool kept;
	if (job && strcmp(job->netdev, t.rec.netdev)) {
		err_set(err, -EBUSY, "bridge %s is being started with netdev %s; say `xbar net stop bridge=%s` first",
			job->bridge, job->netdev, job->bridge);
		kept = false;
	} else if (job) {
		kept = join(job, req);
		if (!kept)
			err_set(err, -ENOMEM, "no memory to wait for bridge %s", job->bridge);
	} else {
		kept = begin(nc, req, &t, err);
	}
	if (!kept)
		ctl_reply_error(req, "%s", err->text);
	takeover_fini(&t);
	return 0;
}

/* ---- the others -------------------------------------------------------------------------------------------------- */

int confirm_accept(struct confirm *nc, const char *bridge, struct err *err)
{
	struct job *job, *next;
	int r = -ENOENT;

	for (job = TAILQ_FIRST(&nc->jobs); job; job = next) {
		next = TAILQ_NEXT(job, link);
		if (!job->applied || (bridge && strcmp(job->bridge, bridge)))
			continue;
		r = confirmed(job, "by hand", err);
		if (r)
			return r;
	}
	return r;
}

void confirm_cancel(struct confirm *nc, const char *bridge, const char *netdev)
{
	struct job *job, *next;
	struct err err;

	for (job = TAILQ_FIRST(&nc->jobs); job; job = next) {
		next = TAILQ_NEXT(job, link);
		if ((bridge && strcmp(job->bridge, bridge)) || (netdev && strcmp(job->netdev, netdev)))
			continue;
		err_set(&err, -ECANCELED, "bridge %s was stopped before its gateways had answered", job->bridge);
		finish(job, err.text);
	}
}

int confirm_left(const struct confirm *nc, const char *bridge, char missing[NETREC_GATEWAYS])
{
	const struct job *job = find(nc, bridge);

	if (!job || !job->applied || !job->probe)
		return -1;
	probe_list(job->probe, false, missing);
	return (int)(probe_left(job->probe) + 999) / 1000;
}

struct confirm *confirm_new(struct xbard *xbard)
{
	struct confirm *nc = calloc(1, sizeof(*nc));
	if (!nc)
		return NULL;
	nc->xbard = xbard;
	TAILQ_INIT(&nc->jobs);
	return nc;
}

void confirm_end(struct confirm *nc)
{
	struct job *job;

	while ((job = TAILQ_FIRST(&nc->jobs)))
		finish(job, "xbard is stopping");
}

void confirm_free(struct confirm *nc)
{
	if (nc)
		confirm_end(nc);
	free(nc);
}
