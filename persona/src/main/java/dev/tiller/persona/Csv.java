package dev.tiller.persona;

import dev.tiller.loader.TillerException;
import java.util.ArrayList;
import java.util.List;

/**
 * Comma-separated values as in RFC 4180: fields may be quoted, quoted fields may hold commas, doubled quotes and line
 * breaks. Strict: a stray quote, an open quote at the end or a row of another width is an error with its line.
 */
final class Csv {
    /**
     * @param line where the row begins in the file, from 1
     * @param fields as many as the header has
     */
    record Row(int line, List<String> fields) {}

    private final String text;
    private final String source;
    private int at;
    private int line = 1;

    private Csv(String text, String source) {
        this.text = text;
        this.source = source;
    }

    /** All rows, the header first. */
    static List<Row> parse(String text, String source) {
        return new Csv(text.startsWith("\uFEFF") ? text.substring(1) : text, source).rows();
    }

    private List<Row> rows() {
        List<Row> rows = new ArrayList<>();
        while (at < text.length()) {
            int first = line;
            Row row = new Row(first, row());
            if (!rows.isEmpty()
                    && row.fields().size() != rows.getFirst().fields().size()) {
                throw error(
                        first,
                        "expected " + rows.getFirst().fields().size() + " fields as in the header, found "
                                + row.fields().size());
            }
            rows.add(row);
        }
        if (rows.isEmpty()) {
            throw new TillerException(source + ": is empty, expected a header line");
        }
        return rows;
    }

    private List<String> row() {
        List<String> fields = new ArrayList<>();
        while (true) {
            fields.add(at < text.length() && text.charAt(at) == '"' ? quoted() : plain());
            if (at == text.length() || endOfLine()) {
                return fields;
            }
            at++; // the comma
        }
    }

    /** Steps over a line break; false at a comma. */
    private boolean endOfLine() {
        if (text.startsWith("\r\n", at)) {
            at += 2;
        } else if (text.charAt(at) == '\n') {
            at++;
        } else {
            return false;
        }
        line++;
        return true;
    }

    private String plain() {
        int from = at;
        while (at < text.length() && text.charAt(at) != ',' && text.charAt(at) != '\n') {
            char c = text.charAt(at);
            if (c == '"') {
                throw error(line, "a quote inside a field that is not quoted");
            }
            if (c == '\r') {
                if (text.startsWith("\r\n", at)) {
                    break;
                }
                throw error(line, "a carriage return without line feed outside quotes");
            }
            at++;
        }
        return text.substring(from, at);
    }

    private String quoted() {
        int opened = line;
        StringBuilder out = new StringBuilder();
        at++;
        while (at < text.length()) {
            char c = text.charAt(at++);
            if (c == '\n') {
                line++;
            }
            if (c != '"') {
                out.append(c);
            } else if (at < text.length() && text.charAt(at) == '"') {
                out.append('"');
                at++;
            } else {
                if (at < text.length()
                        && text.charAt(at) != ','
                        && text.charAt(at) != '\n'
                        && !text.startsWith("\r\n", at)) {
                    throw error(line, "text after the closing quote of a field");
                }
                return out.toString();
            }
        }
        throw error(opened, "a quoted field is never closed");
    }

    /** How many characters of the text are complete rows, each ended by a line break outside quotes. */
    static int completeLength(String text) {
        boolean inQuotes = false;
        int complete = 0;
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"') {
                inQuotes = !inQuotes;
            } else if (c == '\n' && !inQuotes) {
                complete = i + 1;
            }
        }
        return complete;
    }

    /** One row with its line break; fields are quoted where they must be. */
    static String format(List<String> fields) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < fields.size(); i++) {
            String f = fields.get(i);
            out.append(i == 0 ? "" : ",");
            boolean quote = f.indexOf(',') >= 0
                    || f.indexOf('"') >= 0
                    || f.indexOf('\n') >= 0
                    || f.indexOf('\r') >= 0
                    || f.startsWith("\uFEFF")
                    || fields.size() == 1 && f.isEmpty();
            out.append(quote ? '"' + f.replace("\"", "\"\"") + '"' : f);
        }
        return out.append('\n').toString();
    }

    private TillerException error(int where, String what) {
        return new TillerException(source + ": line " + where + ": " + what);
    }
}
