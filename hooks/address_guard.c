/* SPDX-License-Identifier: Apache-2.0 */
/* A table of networks; IPv6 forms that carry an IPv4 address are unpacked. */
#include "hooks/address_guard.h"

#include "base/attr.h"
#include "base/span.h"

#include <netinet/in.h>
#include <string.h>

static const struct network4 {
	uint32_t net;
	uint32_t mask;
} networks4[] = {
	{ 0xa9fe0000, 0xffff0000 }, /* 169.254.0.0/16: link-local, metadata */
	{ 0x646464c8, 0xffffffff }, /* 100.100.100.200: Alibaba's metadata */
	{ 0xa83f8110, 0xffffffff }, /* 168.63.129.16: Azure's wire server */
	{ 0xc0000000, 0xffffff00 }, /* 192.0.0.0/24: Oracle's metadata */
	{ 0xe0000000, 0xf0000000 }, /* multicast */
	{ 0xffffffff, 0xffffffff }, /* broadcast */
};

static const struct network6 {
	unsigned char net[16];
	unsigned bits;
} networks6[] = {
	{ { 0xfe, 0x80 }, 10 }, /* link-local */
	{ { 0xff }, 8 },	/* multicast */
	/* fd00:ec2::254, Amazon's metadata; the whole of its /32 */
	{ { 0xfd, 0x00, 0x0e, 0xc2 }, 32 },
	/* fd20:ce::254, Google's metadata */
	{ { 0xfd, 0x20, 0x00, 0xce }, 32 },
};

/* Prefixes behind which the IPv4 address begins at byte `at`. */
static const struct embedding {
	unsigned char prefix[12];
	unsigned bits;
	unsigned at;
} embeddings[] = {
	{ { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff }, 96, 12 }, /* mapped */
	{ { 0 }, 96, 12 },				    /* compatible */
	{ { 0x00, 0x64, 0xff, 0x9b }, 96, 12 },		    /* NAT64 */
	{ { 0x20, 0x02 }, 16, 2 },			    /* 6to4 */
	{ { 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff }, 96, 12 }, /* translated */
};

static bool prefix_is(const unsigned char *a, const unsigned char *net,
		      unsigned bits)
{
	unsigned bytes = bits / 8, rest = bits % 8;
	unsigned char mask = (unsigned char)(0xff << (8 - rest));

	if (memcmp(a, net, bytes))
		return false;
	return !rest || (a[bytes] & mask) == (net[bytes] & mask);
}

static bool is_forbidden4(uint32_t address)
{
	for (size_t i = 0; i < ARRAY_SIZE(networks4); i++)
		if ((address & networks4[i].mask) == networks4[i].net)
			return true;
	return false;
}

static bool is_forbidden6(const unsigned char *a)
{
	for (size_t i = 0; i < ARRAY_SIZE(networks6); i++)
		if (prefix_is(a, networks6[i].net, networks6[i].bits))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(embeddings); i++)
		if (prefix_is(a, embeddings[i].prefix, embeddings[i].bits) &&
		    is_forbidden4(load_u32be(a + embeddings[i].at)))
			return true;
	return false;
}

bool address_is_forbidden(const struct sockaddr *sa)
{
	struct sockaddr_in in4;
	struct sockaddr_in6 in6;

	switch (sa->sa_family) {
	case AF_INET:
		memcpy(&in4, sa, sizeof in4);
		return is_forbidden4(ntohl(in4.sin_addr.s_addr));
	case AF_INET6:
		memcpy(&in6, sa, sizeof in6);
		return is_forbidden6(in6.sin6_addr.s6_addr);
	default:
		/* No hook has business with any other family. */
		return true;
	}
}
