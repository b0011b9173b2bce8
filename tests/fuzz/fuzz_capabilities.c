/* SPDX-License-Identifier: Apache-2.0 */
/* Capability lists, agents, and GIT_PROTOCOL. */
#include "fuzz.h"

#include "git/capabilities.h"
#include "git/upload_pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of(data, size);
	struct capabilities c;
	char agent[64];
	struct err e;
	int version;

	capabilities_parse(text, &c);
	(void)!object_format_check(text, &e);
	agent_copy(text, agent, sizeof agent);
	for (const char *p = agent; *p; p++)
		if ((unsigned char)*p < ' ')
			abort(); /* it goes into the log */
	version = protocol_version(text);
	if (version < 0 || version > 2)
		abort();
	return 0;
}
