package io.elder.fetch;

import com.fasterxml.jackson.databind.node.ObjectNode;

/** Where a fetch function puts what it saw, and how it makes its requests. */
@FunctionalInterface
public interface Out extends Requests {
    /**
     * Publishes one object as the vendor sent it, without secrets. Blocks while the log can't take more; the same object
     * twice is harmless.
     *
     * @throws FencedException once the run is over: there is no use in going on
     */
    void accept(ObjectNode object);

    /** Publishes every item of every page. */
    default void pages(PageRequest<ObjectNode> request) throws Exception {
        pages(request, this::accept);
    }

    /** Without limit and without a second try, unless whoever runs the provider sees to it. */
    @Override
    default <T> T request(Request<T> request) throws Exception {
        return request.send();
    }
}
