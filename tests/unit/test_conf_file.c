/* SPDX-License-Identifier: Apache-2.0 */
#include "test.h"

#include "base/cleanup.h"
#include "base/err.h"
#include "base/files.h"
#include "store/conf_file.h"
#include "store/mistakes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* As `git config --list -z` prints: "section.sub.key LF value NUL". */
static void dump(const struct conf_file *f, struct buf *out)
{
	for (size_t i = 0; i < f->n_sections; i++) {
		const struct conf_section *s = &f->sections[i];

		for (size_t j = s->first; j < s->first + s->n; j++) {
			buf_adds(out, s->name);
			if (s->subsection)
				buf_addf(out, ".%s", s->subsection);
			buf_addf(out, ".%s", f->entries[j].key);
			if (f->entries[j].value)
				buf_addf(out, "\n%s", f->entries[j].value);
			buf_addc(out, '\0');
		}
	}
}

static void assert_dump_span(struct span text, const char *expected, size_t n)
{
	struct mistakes m = MISTAKES_INIT;
	struct conf_file *f = conf_file_parse("t", text, &m);
	struct buf b = BUF_INIT;

	assert_non_null(f);
	dump(f, &b);
	if (mistakes_any(&m))
		fail_msg("%s", m.items[0]);
	assert_int_equal(b.len, n);
	assert_memory_equal(buf_str(&b), expected, n);
	buf_fini(&b);
	conf_file_free(f);
	mistakes_fini(&m);
}

#define assert_dump(text, expected) \
	assert_dump_span(span_str(text), expected, sizeof(expected) - 1)

/* All mistakes of a text, a line each. */
static void assert_mistakes(const char *text, const char *expected)
{
	struct mistakes m = MISTAKES_INIT;
	struct conf_file *f = conf_file_parse("t", span_str(text), &m);
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < m.n; i++)
		buf_addf(&b, "%s\n", m.items[i]);
	assert_string_equal(buf_str(&b), expected);
	buf_fini(&b);
	conf_file_free(f);
	mistakes_fini(&m);
}

static void reads_sections_and_keys(void **state)
{
	(void)state;
	assert_dump("[Repo \"Team/X\"]\n\tPublic = yes ; a comment\n"
		    "  branch=main\n\tdescription = two  words \n",
		    "repo.Team/X.public\nyes\0repo.Team/X.branch\nmain\0"
		    "repo.Team/X.description\ntwo  words\0");
	assert_dump("[a]b=1\n[a.B \"C\"] d = 2\n[a \"\"]e\n",
		    "a.b\n1\0a.b.C.d\n2\0a..e\0");
	assert_dump("\xef\xbb\xbf[a]\r\nb = c\r\n", "a.b\nc\0");
}

static void reads_quotes_escapes_and_continued_lines(void **state)
{
	(void)state;
	assert_dump("[a]\nb = \" x # ; \" y\n", "a.b\n x # ;  y\0");
	assert_dump("[a]\nb = one \\\n  two\n", "a.b\none   two\0");
	assert_dump("[a]\nb = \\\"\\\\\\t\\n\\b.\n", "a.b\n\"\\\t\n\b.\0");
	assert_dump("[a \"q\\\"\\\\\\x\"]\nb = \n", "a.q\"\\x.b\n\0");
	assert_dump("[a]\nb = \"x\\\ny\"", "a.b\nxy\0");
}

static void a_key_without_a_value_has_none(void **state)
{
	(void)state;
	assert_dump("[a]\nb\nc =\nd ", "a.b\0a.c\n\0a.d\0");
}

static void keeps_sections_without_keys(void **state)
{
	struct mistakes m = MISTAKES_INIT;
	struct conf_file *f = conf_file_parse(
		"t", span_str("[repo \"x\"]\n# nothing\n[repo \"y\"] ; c\n"),
		&m);

	(void)state;
	assert_non_null(f);
	assert_int_equal(f->n_sections, 2);
	assert_string_equal(f->sections[1].subsection, "y");
	assert_int_equal(f->sections[1].line, 3);
	assert_int_equal(f->n_entries, 0);
	conf_file_free(f);
}

static void says_every_mistake_with_its_line(void **state)
{
	(void)state;
	assert_mistakes("key = 1\n[ok]\na = \"open\nb = \\x\n[bad\n c = 1\n"
			"[good]\n=\nd e\n",
			"t:1: a key stands under a [section]\n"
			"t:3: the quotes of the value are not closed in its "
			"line\n"
			"t:4: only \\\\ \\\" \\n \\t and \\b are escapes; a "
			"backslash is written \\\\\n"
			"t:5: a section header ends with ]\n"
			"t:8: a line is KEY = VALUE, [section], or a comment "
			"that begins with # or ;\n"
			"t:9: a line is KEY = VALUE, [section], or a comment "
			"that begins with # or ;\n");
	assert_mistakes("[include]\npath = /etc/shadow\n[includeIf \"x\"]\n",
			"t:1: include is not supported: name the file with "
			"--config\n"
			"t:3: include is not supported: name the file with "
			"--config\n");
	assert_mistakes("[]\na = 1\n[.a]\n[a \"b]\n[a b]\n[\"a\"]\n",
			"t:1: the section has no name\n"
			"t:3: the section has no name\n"
			"t:4: the quotes of the section header are not "
			"closed\n"
			"t:5: a section header is [name] or [name \"sub\"]\n"
			"t:6: a section name consists of letters, digits, - "
			"and .\n");
}

static void refuses_binary_and_endless_files(void **state)
{
	struct mistakes m = MISTAKES_INIT;
	struct buf b = BUF_INIT;
	struct conf_file *f;

	(void)state;
	assert_null(conf_file_parse("t", span_of("[a]\nb\0c", 7), &m));
	assert_string_equal(m.items[0],
			    "t:2: a NUL byte: this is not a text file");
	for (size_t i = 0; i < CONF_LINES_MAX; i++)
		buf_addc(&b, '\n');
	assert_null(conf_file_parse("t", buf_span(&b), &m));
	buf_clear(&b);
	for (size_t i = 0; i <= CONF_FILE_MAX; i++)
		buf_addc(&b, ' ');
	assert_null(conf_file_parse("t", buf_span(&b), &m));
	assert_int_equal(m.n, 3);

	buf_clear(&b);
	buf_adds(&b, "[a]\nb = ");
	for (size_t i = 0; i <= CONF_VALUE_MAX; i++)
		buf_addc(&b, 'v');
	buf_adds(&b, "\nc = d\n");
	f = conf_file_parse("t", buf_span(&b), &m);
	assert_non_null(f);
	assert_int_equal(m.n, 4);
	assert_int_equal(f->n_entries, 1);
	conf_file_free(f);
	buf_fini(&b);
	mistakes_fini(&m);
}

static void a_mistake_cannot_forge_a_line(void **state)
{
	struct mistakes m = MISTAKES_INIT;

	(void)state;
	mistake_add(&m, "a\nb", 1, "x\x1b[31m%s", "\r\n");
	assert_string_equal(m.items[0], "a?b:1: x?[31m??");
	for (size_t i = 0; i < 2 * MISTAKES_MAX; i++)
		mistake_add(&m, NULL, 0, "x");
	assert_int_equal(m.n, MISTAKES_MAX);
	assert_int_equal(mistakes_count(&m), 2 * MISTAKES_MAX + 1);
	mistakes_fini(&m);
}

/* -- writing -------------------------------------------------------------- */

static void every_value_reads_back(void **state)
{
	static const char bytes[] = " \t\n\r\b\"\\#;=[]ab\x01\x7f\xc3";
	char value[12], subsection[12];

	(void)state;
	srand(11);
	for (int i = 0; i < 30000; i++) {
		struct mistakes m = MISTAKES_INIT;
		struct buf b = BUF_INIT;
		size_t n = (size_t)rand() % sizeof value;
		struct conf_file *f;
		struct err e;

		for (size_t j = 0; j < n; j++) {
			value[j] = bytes[(size_t)rand() % (sizeof bytes - 1)];
			subsection[j] = value[j] == '\n' ? 'n' : value[j];
		}
		value[n] = subsection[n] = '\0';
		assert_int_equal(conf_write_section(&b, "repo", subsection, &e),
				 0);
		assert_int_equal(conf_write_entry(&b, "key", value, &e), 0);
		f = conf_file_parse("t", buf_span(&b), &m);
		assert_non_null(f);
		if (mistakes_any(&m) || f->n_sections != 1 ||
		    f->n_entries != 1 ||
		    strcmp(f->sections[0].subsection, subsection) != 0 ||
		    strcmp(f->entries[0].value, value) != 0)
			fail_msg("not read back: %s", buf_str(&b));
		conf_file_free(f);
		buf_fini(&b);
	}
}

static void no_value_writes_further_sections(void **state)
{
	struct buf b = BUF_INIT;
	struct err e;

	(void)state;
	assert_int_equal(conf_write_entry(&b, "description",
					  "x\n[key \"evil\"]\n\twrite = **",
					  &e),
			 0);
	assert_string_equal(buf_str(&b),
			    "\tdescription = \"x\\n[key \\\"evil\\\"]\\n"
			    "\\twrite = **\"\n");
	assert_int_equal(conf_write_section(&b, "repo", "a\"]\n[b", &e), -1);
	buf_fini(&b);
}

static void assert_rewrite(const char *text, const char *name,
			   const char *section, const char *expected)
{
	struct mistakes m = MISTAKES_INIT;
	struct conf_file *f = conf_file_parse("t", span_str(text), &m);
	struct buf b = BUF_INIT;

	assert_non_null(f);
	conf_rewrite(&b, span_str(text), f, "repo", name, span_str(section));
	assert_string_equal(buf_str(&b), expected);
	buf_fini(&b);
	conf_file_free(f);
	mistakes_fini(&m);
}

static void rewriting_keeps_all_else(void **state)
{
	(void)state;
	assert_rewrite(
		"# mine\n[repo \"a\"] ; c\n\n# b\n[repo \"b\"]\n\tx = 1\n", "a",
		"[repo \"a\"]\n\ty = 2\n",
		"# mine\n[repo \"a\"]\n\ty = 2\n\n# b\n[repo \"b\"]\n"
		"\tx = 1\n");
	assert_rewrite("[repo \"a\"]\n\tx = 1\n# kept\n[repo \"a\"]\n\tx = 2",
		       "a", "[repo \"a\"]\n", "[repo \"a\"]\n# kept\n");
	assert_rewrite("[repo \"a\"][repo \"b\"]x=1\n", "a", "",
		       "[repo \"b\"]x=1\n");
	assert_rewrite("[repo \"b\"]x=1", "a", "[repo \"a\"]\n",
		       "[repo \"b\"]x=1\n[repo \"a\"]\n");
	assert_rewrite("[Repo \"a\"]\nx = \\\n  2\n[key \"a\"]\n", "a", "",
		       "[key \"a\"]\n");
	assert_rewrite("[repo \"b\"]\n", "a", "", "[repo \"b\"]\n");
}

/* -- git's reading of the same --------------------------------------------- */

/* Runs git on the file: 1 and its answer, 0 where it refuses, -1 without
 * git. */
static int ask_git(const char *path, struct buf *out)
{
	CLEANUP(freep) char *command = NULL;
	char chunk[4096];
	FILE *p;
	size_t n;
	int status;

	if (asprintf(&command,
		     "git config -f %s --no-includes --list -z "
		     "2>/dev/null",
		     path) < 0)
		return -1;
	p = popen(command, "r");
	if (!p)
		return -1;
	while ((n = fread(chunk, 1, sizeof chunk, p)) > 0)
		buf_add(out, chunk, n);
	status = pclose(p);
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 127)
		return -1;
	return WEXITSTATUS(status) == 0;
}

/* Lines that could be a configuration, of pieces that matter. What git 2.45
 * reads differently from 2.39 (tabs inside an unquoted value) is left out. */
static void make_config(struct buf *b)
{
	static const char *const pieces[] = {
		"[a]\n",
		"[a \"b\"]\n",
		"[A.B]\n",
		"[a \"x\\\"y\"]",
		"key = v\n",
		"key=v w\n",
		"Key-2\n",
		"k = \"a b\"\n",
		"k = a\\\nb\n",
		"k = \\n\\t\n",
		"k = a # c\n",
		"k = a ; c\n",
		"k = \"#\"\n",
		"k =\n",
		"  ",
		"\n\t",
		"\n",
		"# c\n",
		"; c\n",
		"\r\n",
		"k = a  b  \n",
		"k = \"a\" \"b\" \n",
		"k = \\\\\n",
		"k",
		" = ",
		"\"",
		"\\",
		"[",
		"]",
		"k = \"\\\nx\"\n",
		"k = a \\\n\n",
		"k = \"\" \"\"\n",
		"[a.b \"c\"]\n",
		"[x-1]\n",
		"k = \\\"\n",
		"k = a\\b\n",
	};
	int n = 1 + rand() % 12;

	buf_clear(b);
	buf_adds(b, "[s]\n");
	for (int i = 0; i < n; i++)
		buf_adds(b, pieces[(size_t)rand() % ARRAY_SIZE(pieces)]);
}

static void agrees_with_git(void **state)
{
	char path[] = "/tmp/conf-XXXXXX";
	struct buf text = BUF_INIT, theirs = BUF_INIT, ours = BUF_INIT;
	int fd = mkstemp(path);
	int n_good = 0, git = 0;
	struct err e;

	(void)state;
	assert_true(fd >= 0);
	srand(3);
	for (int i = 0; i < 400 && git >= 0; i++) {
		struct mistakes m = MISTAKES_INIT;
		struct conf_file *f;

		make_config(&text);
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		assert_int_equal(fd_write_full(fd, text.data, text.len, &e), 0);
		buf_clear(&theirs);
		buf_clear(&ours);
		git = ask_git(path, &theirs);
		f = conf_file_parse("t", buf_span(&text), &m);
		assert_non_null(f);
		dump(f, &ours);
		if (git >= 0 && (git == 1) != !mistakes_any(&m))
			fail_msg("git %s what we do not: <%s> %s",
				 git ? "takes" : "refuses", buf_str(&text),
				 m.n ? m.items[0] : "");
		if (git == 1 && !span_eq(buf_span(&ours), buf_span(&theirs)))
			fail_msg("read differently: <%s>", buf_str(&text));
		n_good += git == 1;
		conf_file_free(f);
		mistakes_fini(&m);
	}
	close(fd);
	unlink(path);
	buf_fini(&text);
	buf_fini(&theirs);
	buf_fini(&ours);
	if (git < 0) {
		print_message("# git is not installed: not compared\n");
		skip();
	}
	assert_in_range(n_good, 50, 350);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_sections_and_keys),
		cmocka_unit_test(reads_quotes_escapes_and_continued_lines),
		cmocka_unit_test(a_key_without_a_value_has_none),
		cmocka_unit_test(keeps_sections_without_keys),
		cmocka_unit_test(says_every_mistake_with_its_line),
		cmocka_unit_test(refuses_binary_and_endless_files),
		cmocka_unit_test(a_mistake_cannot_forge_a_line),
		cmocka_unit_test(every_value_reads_back),
		cmocka_unit_test(no_value_writes_further_sections),
		cmocka_unit_test(rewriting_keeps_all_else),
		cmocka_unit_test(agrees_with_git),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
