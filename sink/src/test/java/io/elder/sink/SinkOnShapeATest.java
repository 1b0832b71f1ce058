package io.elder.sink;

final class SinkOnShapeATest extends SinkContract {
    SinkOnShapeATest() {
        super(ElderShape.A);
    }
}
