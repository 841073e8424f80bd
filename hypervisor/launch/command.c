/* SPDX-License-Identifier: BSD-3-Clause */
#include "command.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "program.h"

int hv_command_exec(const struct hv_command *command, pid_t parent)
{
	const struct rlimit none = {0}, processes = {HV_COMMAND_PROCESSES, HV_COMMAND_PROCESSES};
	int persona = personality(0xffffffff);

	if (command->fixed_addresses && (persona < 0 || personality(persona | ADDR_NO_RANDOMIZE) < 0))
		return -errno;
	if (command->fd && fcntl(command->fd, F_SETFD, 0))
		return -errno;
	/* A core file would hold the guest's memory. */
	if (setrlimit(RLIMIT_CORE, &none))
		return -errno;
	if (command->confined && geteuid() != command->uid && setrlimit(RLIMIT_NPROC, &processes))
		return -errno;
	int r = command->confined ? hv_become_user(command->uid, command->group) : 0;
	if (r)
		return r;
	/* A change of user clears it, so it comes last. Without its supervisor a guest could be neither seen nor ended. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != parent)
		return -ESRCH;
	execv(command->argv.v[0], command->argv.v);
	return -errno;
}

bool hv_command_seal(const struct hv_command *command)
{
	struct dirent *entry;
	unsigned n = 0;

	if (!*command->sealed_dir)
		return true;
	DIR *dir = opendir(command->sealed_dir);
	while (dir && (entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	if (dir)
		closedir(dir);
	return n >= command->sealed_files && !chown(command->sealed_dir, 0, -1);
}

void hv_command_fini(struct hv_command *command)
{
	hv_argv_fini(&command->argv);
	if (command->fd)
		close(command->fd);
	command->fd = 0;
}
