import Subprocess
enum CoordinatorPlaceholder {}
