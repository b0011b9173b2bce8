/* SPDX-License-Identifier: Apache-2.0 */
/* pkt-lines, up to the first that is wrong. */
#include "fuzz.h"

#include "git/pktline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stream_mem s;
	struct pkt_reader r;
	struct pkt line;
	struct err e;
	unsigned char rest[16];

	stream_mem_init(&s, span_of(data, size), NULL);
	pkt_reader_init(&r, &s.base);
	do {
		if (pkt_read(&r, &line, &e) < 0)
			break;
		if (line.kind == PKT_DATA && line.data.len > PKT_DATA_MAX)
			abort();
	} while (line.kind != PKT_EOF && line.kind != PKT_RESPONSE_END);
	(void)!pkt_reader_raw(&r, rest, sizeof rest, &e);
	pkt_reader_fini(&r);
	return 0;
}
