/* SPDX-License-Identifier: Apache-2.0 */
/* Calls FUNCTION, of whatever floor it is. Never run, only linked. */
void FUNCTION(void);

int main(void)
{
	FUNCTION();
	return 0;
}
