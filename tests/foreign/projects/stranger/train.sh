echo "val_loss of lr $1"
