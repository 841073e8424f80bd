/* SPDX-License-Identifier: BSD-3-Clause */
#include "cfg.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int hv_cfg_number(const struct hv_text *text, const struct hv_cfg_setting *setting, long min, long max, long *out,
		  struct err *err)
{
	const struct hv_cfg_value *v = &setting->value;
	char *end;
	long n;

	if (v->kind == HV_CFG_LIST)
		return hv_err_at(err, text, v->at, "%s must be one number, not a list", setting->name);
	if (setting->added)
		return hv_err_at(err, text, v->at, "%s is a number: += cannot add to it", setting->name);
	errno = 0;
	n = strtol(v->string, &end, 0);
	if (end == v->string || *end != '\0' || (errno && errno != ERANGE))
		return hv_err_at(err, text, v->at,
				 "%s: `%.60s' is not a number: write e.g. 512, 0x200 or 01000 (octal)", setting->name,
				 v->string);
	if (errno || n < min || n > max)
		return hv_err_at(err, text, v->at, "%s = %.60s: must be from %ld to %ld", setting->name, v->string, min,
				 max);
	*out = n;
	return 0;
}

const char *hv_cfg_string(const struct hv_text *text, const struct hv_cfg_setting *setting, struct err *err)
{
	if (setting->value.string)
		return setting->value.string;
	hv_err_at(err, text, setting->value.at, "%s must be one value, not a list: write it without [ ]",
		  setting->name);
	return NULL;
}

void hv_print_quoted(const char *string, FILE *out)
{
	fputc('\'', out);
	for (const char *p = string; *p; p++)
		if (*p == '\'' || *p == '\\')
			fprintf(out, "\\%c", *p);
		else if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
			fprintf(out, "\\x%02x", (unsigned char)*p);
		else
			fputc(*p, out);
	fputc('\'', out);
}

static void print_value(const struct hv_cfg_value *value, FILE *out)
{
	if (value->kind == HV_CFG_NUMBER) {
		fputs(value->string, out);
	} else if (value->kind == HV_CFG_STRING) {
		hv_print_quoted(value->string, out);
	} else {
		fputc('[', out);
		for (size_t i = 0; i < value->nitem; i++) {
			if (i > 0)
				fputs(", ", out);
			print_value(&value->item[i], out);
		}
		fputc(']', out);
	}
}

void hv_cfg_print_setting(const struct hv_cfg_setting *setting, FILE *out)
{
	fprintf(out, "%s = ", setting->name);
	print_value(&setting->value, out);
	fputc('\n', out);
}
