package dev.tiller.loader.hub;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Second names of files, of which many file systems know one kind only or none. */
interface FileLinks {
    /** Those of this machine. */
    FileLinks NORMAL = new FileLinks() {
        @Override
        public void symbolic(Path link, Path to) throws IOException {
            Files.createSymbolicLink(link, to);
        }

        @Override
        public void hard(Path link, Path existing) throws IOException {
            Files.createLink(link, existing);
        }
    };

    /** Makes a link that names another path; {@link UnsupportedOperationException} or an error where there are none. */
    void symbolic(Path link, Path to) throws IOException;

    /** Makes another name of the same bytes; fails as {@link #symbolic} does. */
    void hard(Path link, Path existing) throws IOException;
}
