/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest_settings.h"

#include <string.h>

/* clang-format off */
static const char *const ignored[] = {
	"access_control", "acpi", "acpi_firmware", "acpi_laptop_slate", "acpi_s3", "acpi_s4", "altp2m",
	"altp2m_count", "altp2mhvm", "apic", "arm_sci", "bios", "bios_path_override", "blkif", "boot",
	"bootargs", "bootentry", "bootloader_args", "bootloader_restrict", "bootloader_user", "cap", "channel",
	"cpu", "cpu_cap", "cpu_weight", "cpuid", "cpuid_check", "cpus", "cpus_soft", "description",
	"device_model", "device_model_args", "device_model_args_hvm", "device_model_args_pv",
	"device_model_override", "device_model_stubdomain_override", "device_model_stubdomain_seclabel",
	"device_model_user", "device_model_version", "device_tree", "dhcp", "display", "dm_restrict",
	"driver_domain", "dtdev", "e820_host", "extratime", "fda", "fdb", "features", "firmware",
	"firmware_override", "gateway", "gfx_passthru", "gic_version", "guest_os_type", "hap", "hdtype",
	"hostname", "hpet", "hvm_pirq", "init_seclabel", "interface", "iomem", "ioports", "ip", "irq", "irqs",
	"isa", "keymap", "latency", "llc_colors", "loader", "localtime", "machine_address_size",
	"max_event_channels", "max_grant_frames", "max_grant_version", "max_maptrack_frames", "maxvcpus",
	"mca_caps", "memory_sharing", "mmio_hole", "monitor", "monitor_path", "ms_vm_genid", "msr_relaxed",
	"nestedhvm", "netif", "netmask", "nfs_root", "nfs_server", "nics", "nographic", "nomigrate", "nr_spis",
	"nx", "on_soft_reset", "on_watchdog", "on_xend_start", "on_xend_stop", "oos", "opengl", "p9", "pae",
	"parallel", "passthrough", "pci", "pci_msitranslate", "pci_permissive", "pci_power_mgmt", "pci_seize",
	"period", "pool", "pvcalls", "pvh", "pvshim", "pvshim_cmdline", "pvshim_extra", "pvshim_path", "rdm",
	"rdm_mem_boundary", "restart", "rtc_timeoffset", "s3_integrity", "sdl", "seclabel", "serial",
	"shadow_memory", "slice", "smbios", "smbios_firmware", "soundhw", "spice", "spice_clipboard_sharing",
	"spice_image_compression", "spice_streaming_video", "spiceagent_mouse", "spicedisable_ticketing",
	"spicehost", "spicepasswd", "spiceport", "spicetls_port", "spiceusbredirection", "spicevdagent",
	"stdvga", "stubdomain_cmdline", "stubdomain_kernel", "stubdomain_memory", "stubdomain_ramdisk",
	"superpages", "suppress_spurious_page_faults", "sve", "target", "tee", "timer_mode", "tpmif",
	"trap_unmapped_accesses", "tsc_mode", "usb", "usbctrl", "usbdev", "usbdevice", "usbversion",
	"vcpu_avail", "vdispl", "vendor_device", "vfb", "vga", "vhpt", "videoram", "vif2", "viridian",
	"virtio", "vkb", "vkb_device", "vmtrace_buf_kb", "vnc", "vncconsole", "vncdisplay", "vnclisten",
	"vncpasswd", "vncunused", "vncviewer", "vnuma", "vpmu", "vpt_align", "vscsi", "vsnd", "vtpm", "vuart",
	"vusb", "xauthority", "xen_platform_pci", "xen_platform_pci_bar_uc", "xend_suspend_evtchn_compat",
	"xenstore_feature_mask", "xenstore_quota",
};
/* clang-format on */

bool hv_guest_setting_is_ignored(const char *name)
{
	for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
		if (!strcmp(ignored[i], name))
			return true;
	return false;
}
