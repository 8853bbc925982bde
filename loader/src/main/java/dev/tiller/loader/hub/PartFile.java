package dev.tiller.loader.hub;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A file that is being downloaded. */
interface PartFile extends AutoCloseable {
    /** Opens a file to go on with, or makes it. */
    @FunctionalInterface
    interface Opener {
        PartFile open(Path file) throws IOException;
    }

    /** Writes all that remains in {@code bytes} from position {@code at} of the file on. */
    void write(ByteBuffer bytes, long at) throws IOException;

    /** What was written survives a power cut. */
    void force() throws IOException;

    @Override
    void close() throws IOException;

    /** On disk; a symbolic link in its place is not followed. */
    static PartFile open(Path file) throws IOException {
        FileChannel channel =
                FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE, LinkOption.NOFOLLOW_LINKS);
        return new PartFile() {
            @Override
            public void write(ByteBuffer bytes, long at) throws IOException {
                for (long to = at; bytes.hasRemaining(); ) {
                    to += channel.write(bytes, to);
                }
            }

            @Override
            public void force() throws IOException {
                channel.force(true);
            }

            @Override
            public void close() throws IOException {
                channel.close();
            }
        };
    }
}
