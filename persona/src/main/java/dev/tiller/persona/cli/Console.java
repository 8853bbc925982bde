package dev.tiller.persona.cli;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/**
 * The streams of a run, always UTF-8, and which of them are terminals. Commands take it by their constructor, so that a
 * test can run them in its own process.
 */
public final class Console {
    private final InputStream in;
    private final PrintStream out;
    private final PrintStream err;
    private final boolean inTerminal;
    private final boolean outTerminal;
    private final boolean errTerminal;

    private Console(InputStream in, OutputStream out, OutputStream err, boolean inTty, boolean outTty, boolean errTty) {
        this.in = in;
        this.out = print(out);
        this.err = print(err);
        this.inTerminal = inTty;
        this.outTerminal = outTty;
        this.errTerminal = errTty;
    }

    /** The streams of this process. The launcher says which are terminals ({@code tiller.terminals}, digits of 0 1 2). */
    static Console system() {
        String said = System.getProperty("tiller.terminals");
        if (said == null) {
            java.io.Console console = System.console();
            said = console != null && console.isTerminal() ? "012" : "";
        }
        return new Console(
                new BufferedInputStream(new FileInputStream(FileDescriptor.in)),
                new FileOutputStream(FileDescriptor.out),
                new FileOutputStream(FileDescriptor.err),
                said.contains("0"),
                said.contains("1"),
                said.contains("2"));
    }

    /** Given streams, none of them a terminal. */
    public static Console of(InputStream in, OutputStream out, OutputStream err) {
        return new Console(in, out, err, false, false, false);
    }

    /** Given streams, all of them as if a person sat there. */
    static Console terminal(InputStream in, OutputStream out, OutputStream err) {
        return new Console(in, out, err, true, true, true);
    }

    private static PrintStream print(OutputStream target) {
        return new PrintStream(new BufferedOutputStream(new Loud(target)), false, StandardCharsets.UTF_8);
    }

    public InputStream in() {
        return in;
    }

    /** Results. Buffered: {@link #flush} shows what was written; a failing write throws {@link ClosedOutputException}. */
    public PrintStream out() {
        return out;
    }

    /** One line for people: notes, progress, errors. Never part of the result. */
    public void note(String line) {
        err.println(line);
        err.flush();
    }

    /** Progress and notes; nothing that a program would read. */
    public PrintStream err() {
        return err;
    }

    /** One line of results, shown at once. */
    public void line(String text) {
        out.print(text);
        out.print('\n');
        out.flush();
    }

    public void flush() {
        out.flush();
        err.flush();
    }

    /** True if a person types the input. */
    public boolean inIsTerminal() {
        return inTerminal;
    }

    /** True if a person sees the results directly. */
    public boolean outIsTerminal() {
        return outTerminal;
    }

    /** True if lines of {@link #err} can be drawn over. */
    public boolean errIsTerminal() {
        return errTerminal;
    }

    /**
     * Text of a model as it may be shown: on a terminal control characters other than line feed and tab become visible,
     * so that an answer cannot move the cursor.
     */
    public String visible(String text) {
        if (!outTerminal) {
            return text;
        }
        StringBuilder s = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            boolean plain = c >= ' ' && c != 0x7f && (c < 0x80 || c > 0x9f) || c == '\n' || c == '\t';
            s.append(plain ? c : c < ' ' ? (char) (0x2400 + c) : '\ufffd');
        }
        return s.toString();
    }

    /** What {@link PrintStream} would swallow becomes an exception: nobody listens any more, or the disk is full. */
    private static final class Loud extends FilterOutputStream {
        Loud(OutputStream target) {
            super(target);
        }

        @Override
        public void write(byte[] b, int from, int n) {
            try {
                out.write(b, from, n);
            } catch (IOException e) {
                throw new ClosedOutputException(e);
            }
        }

        @Override
        public void write(int b) {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void flush() {
            try {
                out.flush();
            } catch (IOException e) {
                throw new ClosedOutputException(e);
            }
        }
    }
}
