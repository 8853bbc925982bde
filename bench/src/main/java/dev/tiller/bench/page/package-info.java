/** What was measured, as a page of tables and charts. */
package dev.tiller.bench.page;
