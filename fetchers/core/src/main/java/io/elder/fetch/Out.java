package io.elder.fetch;

import com.fasterxml.jackson.databind.node.ObjectNode;

/** Where a fetch function puts what it saw. */
@FunctionalInterface
public interface Out {
    /**
     * Publishes one object as the vendor sent it, without secrets. Blocks while the log can't take more; the same object
     * twice is harmless.
     *
     * @throws FencedException once the run is over: there is no use in going on
     */
    void accept(ObjectNode object);
}
