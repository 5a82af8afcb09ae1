"""TensorFlow operations that only compute: what the graph of a SavedModel may consist of, unless it is trusted.

A list of what is allowed, not of what is not: TensorFlow has some 1,500 operations, of which some read or write files,
open connections, or call Python or code by name, and every release adds more. "Stateless" does not tell them apart: to
TensorFlow reading a file is. No operation here takes a text, but for those of ``SAVING``.
"""

from __future__ import annotations

_ELEMENTWISE = """
    Abs Acos Acosh Add AddN AddV2 Angle Asin Asinh Atan Atan2 Atanh BatchMatMul BatchMatMulV2 BatchMatMulV3 BiasAdd
    BiasAddV1 BitwiseAnd BitwiseOr BitwiseXor Cast Ceil ClipByValue Complex ComplexAbs Conj Cos Cosh Cumprod Cumsum
    Digamma Div DivNoNan Elu Equal Erf Erfc Erfinv Exp Expm1 Floor FloorDiv FloorMod Greater GreaterEqual Imag Inv
    Invert IsFinite IsInf IsNan LeakyRelu LeftShift Less LessEqual Lgamma Log Log1p LogicalAnd LogicalNot LogicalOr
    LogSoftmax Maximum Minimum Mod Mul MulNoNan Neg NextAfter NotEqual OnesLike Pow Real RealDiv Reciprocal Relu Relu6
    RightShift Rint Round Rsqrt Select SelectV2 Selu Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Square
    SquaredDifference Sub Tan Tanh TruncateDiv TruncateMod Xdivy Xlog1py Xlogy ZerosLike
"""
_KERNELS = """
    AdjustContrastv2 AdjustHue AdjustSaturation AvgPool AvgPool3D Conv2D Conv2DBackpropInput Conv3D
    Conv3DBackpropInputV2 CropAndResize DepthwiseConv2dNative Dilation2D Einsum FakeQuantWithMinMaxArgs
    FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel FFT FFT2D FractionalAvgPool FractionalMaxPool
    FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 HSVToRGB IFFT IFFT2D ImageProjectiveTransformV2
    ImageProjectiveTransformV3 IRFFT IRFFT2D L2Loss LRN MatMul MaxPool MaxPool3D MaxPoolV2 MaxPoolWithArgmax
    QuantizeAndDequantize QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4 ResizeArea
    ResizeBicubic ResizeBilinear ResizeNearestNeighbor RFFT RFFT2D RGBToHSV ScaleAndTranslate
"""
_REDUCING = """
    All Any ArgMax ArgMin Bincount InTopKV2 Max Mean Min Prod SegmentMax SegmentMean SegmentSum Sum TopK TopKV2
    UnsortedSegmentMax UnsortedSegmentSum
"""
_MOVING = """
    BatchToSpace BatchToSpaceND Bitcast BroadcastArgs BroadcastGradientArgs BroadcastTo Concat ConcatOffset ConcatV2
    DepthToSpace Diag DiagPart EnsureShape ExpandDims ExtractImagePatches Fill Gather GatherNd GatherV2
    InvertPermutation LinSpace MatrixBandPart MatrixDiag MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2
    MatrixDiagV3 MatrixSetDiag MatrixSetDiagV3 MirrorPad OneHot Pack Pad PadV2 ParallelConcat Range Rank Reshape
    Reverse ReverseSequence ReverseV2 Roll ScatterNd Shape ShapeN Size Slice SpaceToBatch SpaceToBatchND SpaceToDepth
    Split SplitV Squeeze StridedSlice TensorScatterAdd TensorScatterUpdate Tile Transpose Unpack Where
"""
_CONTROL = """
    Assert Case CheckNumerics Const EmptyTensorList Enter Exit Identity IdentityN If LoopCond Merge NextIteration NoOp
    PartitionedCall Placeholder PlaceholderWithDefault PreventGradient StatefulPartitionedCall StatelessCase
    StatelessIf StatelessWhile StopGradient Switch TensorListElementShape TensorListFromTensor TensorListGetItem
    TensorListLength TensorListPushBack TensorListReserve TensorListResize TensorListSetItem TensorListStack While
"""
_VARIABLES = """
    AssignAddVariableOp AssignSubVariableOp AssignVariableOp DisableCopyOnRead ReadVariableOp ResourceGather
    VarHandleOp VariableShape VarIsInitializedOp
"""
_RANDOM = """
    Multinomial RandomShuffle RandomStandardNormal RandomUniform RandomUniformInt StatelessRandomGetAlg
    StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg StatelessRandomNormal StatelessRandomNormalV2
    StatelessRandomUniform StatelessRandomUniformInt StatelessRandomUniformIntV2 StatelessRandomUniformV2
    StatelessTruncatedNormal StatelessTruncatedNormalV2 TruncatedNormal
"""
#: Operations that compute, move values, or hold the model's own variables.
COMPUTING = frozenset(
    " ".join((_ELEMENTWISE, _KERNELS, _REDUCING, _MOVING, _CONTROL, _VARIABLES, _RANDOM)).split(),
)
#: What the two functions consist of that every SavedModel has for saving its variables again and restoring them. They
#: write files, and are never called here: variables are read from the checkpoint.
SAVING = frozenset(
    ("MergeV2Checkpoints", "RestoreV2", "SaveV2", "ShardedFilename", "StaticRegexFullMatch", "StringJoin"),
)
